//! Every plugin by name with its constructor. To add a policy: one file in `plugins/`, one line
//! here.
//!
//! Source of the idea: `pkg/scheduler/framework/plugins/registry.go`, v1.37.

use super::framework::{
    EnqueueExtensions, FilterPlugin, PermitPlugin, PluginId, PostBindPlugin, PostFilterPlugin,
    PreBindPlugin, PreEnqueuePlugin, PreFilterPlugin, PreScorePlugin, QueueSortPlugin,
    ReservePlugin, ScorePlugin, SignPlugin,
};
use super::plugins::*;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Makes a plugin from its arguments.
pub type Constructor = fn(&Value) -> Result<Points, String>;

/// All plugins; a plugin's [`PluginId`] is its place here. At most 64.
pub const REGISTRY: &[(&str, Constructor)] = &[
    ("SchedulingGates", |_| Ok(plugin(SchedulingGates).pre_enqueue().events().done())),
    ("PrioritySort", |_| Ok(plugin(PrioritySort).queue_sort().done())),
    ("NodeName", |_| Ok(plugin(NodeName).pre_filter().filter().events().sign().done())),
    ("NodeUnschedulable", |_| Ok(plugin(NodeUnschedulable).filter().events().sign().done())),
    ("TaintToleration", |_| {
        Ok(plugin(TaintToleration).filter().pre_score().score().events().sign().done())
    }),
    ("NodeAffinity", |args| {
        let plugin = plugin(NodeAffinity::new(args)?);
        Ok(plugin.pre_filter().filter().pre_score().score().events().sign().done())
    }),
    ("NodePorts", |_| Ok(plugin(NodePorts).pre_filter().filter().events().sign().done())),
    ("NodeResourcesFit", |args| {
        let plugin = plugin(NodeResourcesFit::new(args)?);
        Ok(plugin.pre_filter().filter().pre_score().score().events().sign().done())
    }),
    ("VolumeRestrictions", |_| {
        Ok(plugin(VolumeRestrictions).pre_filter().filter().events().sign().done())
    }),
    ("NodeVolumeLimits", |_| {
        Ok(plugin(NodeVolumeLimits).pre_filter().filter().events().sign().done())
    }),
    ("VolumeBinding", |args| {
        let plugin = plugin(VolumeBinding::new(args)?).reserve().pre_bind();
        Ok(plugin.pre_filter().filter().pre_score().score().events().sign().done())
    }),
    ("VolumeZone", |_| Ok(plugin(VolumeZone).pre_filter().filter().events().sign().done())),
    ("PodTopologySpread", |args| {
        let plugin = plugin(PodTopologySpread::new(args)?);
        Ok(plugin.pre_filter().filter().pre_score().score().events().sign().done())
    }),
    ("InterPodAffinity", |args| {
        let plugin = plugin(InterPodAffinity::new(args)?);
        Ok(plugin.pre_filter().filter().pre_score().score().events().sign().done())
    }),
    ("DynamicResources", |args| {
        let plugin = plugin(DynamicResources::new(args)?).pre_enqueue().pre_filter().filter();
        let plugin = plugin.post_filter().score().reserve().pre_bind();
        Ok(plugin.events().sign().done())
    }),
    ("DefaultPreemption", |args| {
        let plugin = plugin(DefaultPreemption::new(args)?);
        Ok(plugin.pre_enqueue().post_filter().events().done())
    }),
    ("NodeResourcesBalancedAllocation", |args| {
        Ok(plugin(NodeResourcesBalancedAllocation::new(args)?).pre_score().score().sign().done())
    }),
    ("ImageLocality", |_| Ok(plugin(ImageLocality).score().sign().done())),
    ("NodeDeclaredFeatures", |_| {
        Ok(plugin(NodeDeclaredFeatures).pre_filter().filter().events().sign().done())
    }),
    ("GPUFragmentation", |args| Ok(plugin(GpuFragmentation::new(args)?).score().done())),
    #[cfg(test)]
    ("Group", |args| {
        let plugin = plugin(super::testing_group::Group::new(args)?);
        Ok(plugin.reserve().permit().pre_bind().post_bind().events().done())
    }),
];

/// The id of the plugin of this name.
pub fn id_of(name: &str) -> Option<PluginId> {
    REGISTRY.iter().position(|(n, _)| *n == name).map(|at| PluginId(at as u8))
}

/// The name of a plugin.
pub fn name_of(id: PluginId) -> &'static str {
    REGISTRY[usize::from(id.0)].0
}

/// A plugin at each extension point that it implements.
#[derive(Clone, Default)]
#[allow(missing_docs, reason = "the fields are the extension points, named as upstream")]
pub struct Points {
    pub pre_enqueue: Option<Arc<dyn PreEnqueuePlugin>>,
    pub queue_sort: Option<Arc<dyn QueueSortPlugin>>,
    pub pre_filter: Option<Arc<dyn PreFilterPlugin>>,
    pub filter: Option<Arc<dyn FilterPlugin>>,
    pub post_filter: Option<Arc<dyn PostFilterPlugin>>,
    pub pre_score: Option<Arc<dyn PreScorePlugin>>,
    pub score: Option<Arc<dyn ScorePlugin>>,
    pub reserve: Option<Arc<dyn ReservePlugin>>,
    pub permit: Option<Arc<dyn PermitPlugin>>,
    pub pre_bind: Option<Arc<dyn PreBindPlugin>>,
    pub post_bind: Option<Arc<dyn PostBindPlugin>>,
    pub events: Option<Arc<dyn EnqueueExtensions>>,
    pub sign: Option<Arc<dyn SignPlugin>>,
}

/// A plugin whose extension points are being listed.
struct Builder<P> {
    plugin: Arc<P>,
    points: Points,
}

fn plugin<P>(plugin: P) -> Builder<P> {
    Builder { plugin: Arc::new(plugin), points: Points::default() }
}

impl<P> Builder<P> {
    fn done(self) -> Points {
        self.points
    }
}

macro_rules! point {
    ($method:ident, $trait:ident) => {
        impl<P: $trait + 'static> Builder<P> {
            #[allow(dead_code, reason = "some points only plugins of one's own implement")]
            fn $method(mut self) -> Self {
                self.points.$method = Some(Arc::clone(&self.plugin) as Arc<dyn $trait>);
                self
            }
        }
    };
}

point!(pre_enqueue, PreEnqueuePlugin);
point!(queue_sort, QueueSortPlugin);
point!(pre_filter, PreFilterPlugin);
point!(filter, FilterPlugin);
point!(post_filter, PostFilterPlugin);
point!(pre_score, PreScorePlugin);
point!(score, ScorePlugin);
point!(reserve, ReservePlugin);
point!(permit, PermitPlugin);
point!(pre_bind, PreBindPlugin);
point!(post_bind, PostBindPlugin);
point!(events, EnqueueExtensions);
point!(sign, SignPlugin);

/// Decodes a plugin's arguments; `null` gives the defaults.
pub(super) fn decode<'a, T: Deserialize<'a> + Default>(args: &'a Value) -> Result<T, String> {
    if args.is_null() {
        return Ok(T::default());
    }
    T::deserialize(args).map_err(|e| e.to_string())
}
