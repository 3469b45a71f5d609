//! Secrets and ConfigMaps in the store: few, found by kind and name.

use super::{Change, Store};
use crate::api::ConfigId;
use crate::api::config::{Config, ConfigKind};

impl Store {
    /// The object of this id, unless it is gone.
    pub fn config_of(&self, id: ConfigId) -> Option<&Config> {
        self.configs.get(id)
    }

    /// All of them.
    pub fn configs(&self) -> impl Iterator<Item = (ConfigId, &Config)> {
        self.configs.iter()
    }

    /// The one of this kind and name.
    pub fn config(&self, kind: ConfigKind, namespace: &str, name: &str) -> Option<&Config> {
        self.config_id(kind, namespace, name).and_then(|id| self.configs.get(id))
    }

    /// Its id.
    pub fn config_id(&self, kind: ConfigKind, namespace: &str, name: &str) -> Option<ConfigId> {
        let is_it = |config: &Config| {
            config.kind == kind
                && *config.meta.namespace == *namespace
                && *config.meta.name == *name
        };
        self.configs.iter().find(|(_, config)| is_it(config)).map(|(id, _)| id)
    }

    /// Creates one, or puts it in the place of the one of its name.
    pub fn put_config(&mut self, mut config: Config) {
        let meta = &config.meta;
        let id = match self.config_id(config.kind, &meta.namespace, &meta.name) {
            Some(id) => {
                config.meta.created = self.configs[id].meta.created;
                if config == self.configs[id] {
                    return;
                }
                self.configs[id] = config;
                id
            }
            None => self.configs.insert(config),
        };
        self.note(Change::Config(id));
    }

    /// Removes one.
    pub fn remove_config(&mut self, id: ConfigId) {
        if self.configs.remove(id).is_some() {
            self.note(Change::Config(id));
        }
    }

    /// Removes those of a namespace that is gone.
    pub fn remove_configs_of(&mut self, namespace: &str) {
        let here = self.configs.iter().filter(|(_, c)| *c.meta.namespace == *namespace);
        let ids: Vec<ConfigId> = here.map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.remove_config(id));
    }
}
