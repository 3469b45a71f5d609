//! Ingresses as the API server keeps them: put, changed and removed. It knows no rules of theirs.

use super::{Change, Store};
use crate::api::IngressId;
use crate::api::ingress::Ingress;

impl Store {
    /// The Ingress, unless it is gone.
    pub fn ingress(&self, id: IngressId) -> Option<&Ingress> {
        self.ingresses.get(id)
    }

    /// All Ingresses.
    pub fn ingresses(&self) -> impl Iterator<Item = (IngressId, &Ingress)> + Clone {
        self.ingresses.iter()
    }

    /// Creates an Ingress, or changes the one of its name to what it shall be.
    pub fn put_ingress(&mut self, ingress: Ingress) {
        let same =
            |known: &Ingress| known.name == ingress.name && known.namespace == ingress.namespace;
        let Some(id) = self.ingresses.iter().find(|(_, known)| same(known)).map(|(id, _)| id)
        else {
            let id = self.ingresses.insert(ingress);
            return self.note(Change::Ingress(id));
        };
        let Some(known) = self.ingresses.get_mut(id) else { return };
        let wanted = Ingress { created: known.created, ..ingress };
        if *known != wanted {
            *known = wanted;
            self.note(Change::Ingress(id));
        }
    }

    /// Removes an Ingress.
    pub fn remove_ingress(&mut self, id: IngressId) {
        if self.ingresses.remove(id).is_some() {
            self.note(Change::Ingress(id));
        }
    }
}
