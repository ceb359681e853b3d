//! Another bundled schema for the same source, where the one that was named has many faults.

use std::sync::Arc;

use crate::checkpoint::Checkpoint;
use crate::keras::Architecture;
use crate::plan::{Faults, PlanOptions, plan};
use crate::schema::{Schema, bundled};

/// So many faults make another schema worth a look: fewer are those of one layer or two.
const MANY: usize = 20;

/// The bundled schema of the same folder by which the plan has no faults.
pub(super) fn better(
    faults: &Faults,
    schema: &Schema,
    checkpoint: &Checkpoint,
    architecture: &Arc<Architecture>,
    options: &PlanOptions,
) -> Option<&'static str> {
    let own = schema.file.name.strip_prefix("bundled:")?;
    let (folder, _) = own.split_once('/')?;
    if faults.faults.len() < MANY {
        return None;
    }
    let names = bundled::names().iter().map(|bundled| bundled.name);
    let mut others =
        names.filter(|name| *name != own && name.split_once('/').is_some_and(|(other, _)| other == folder));
    others.find(|name| {
        let plan = |schema| plan(checkpoint, &schema, Arc::clone(architecture), options);
        Schema::bundled(name).is_ok_and(|schema| plan(schema).is_ok())
    })
}
