//! The program's signature, which tells what its inputs are: `graph_module.signature.input_specs`
//! (`torch/_export/serde/schema.py`). Everything else of the program is passed over.

use std::collections::HashMap;

use serde::Deserialize;

use crate::checkpoint::records::Records;
use crate::checkpoint::state_dict::Role;

/// Bytes of a program. Those of large models have tens of megabytes.
const MAX_PROGRAM_BYTES: u64 = 256 << 20;

/// Bytes of a compressed program: it is inflated into memory.
const MAX_INFLATED_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
struct Program {
    graph_module: GraphModule,
}

#[derive(Deserialize)]
struct GraphModule {
    signature: Signature,
}

#[derive(Deserialize)]
struct Signature {
    input_specs: Vec<InputSpec>,
}

#[derive(Deserialize)]
struct InputSpec {
    parameter: Option<Parameter>,
    buffer: Option<Buffer>,
}

#[derive(Deserialize)]
struct Parameter {
    parameter_name: String,
}

#[derive(Deserialize)]
struct Buffer {
    buffer_name: String,
    /// Absent before 2.3, which had no others.
    persistent: Option<bool>,
}

/// The roles of parameters and buffers by name; empty where the program is missing or of another form.
pub(super) fn read(records: &mut Records, record: &str) -> HashMap<String, Role> {
    let mut roles = HashMap::new();
    if records.size(record).is_none_or(|size| size > MAX_PROGRAM_BYTES) {
        return roles;
    }
    let Ok(Some(text)) = records.find(record, MAX_INFLATED_BYTES) else { return roles };
    let Ok(program) = serde_json::from_slice::<Program>(text.as_slice()) else { return roles };
    for spec in program.graph_module.signature.input_specs {
        if let Some(Parameter { parameter_name }) = spec.parameter {
            roles.insert(parameter_name, Role::Parameter);
        }
        if let Some(Buffer { buffer_name, persistent }) = spec.buffer {
            let is_persistent = persistent.unwrap_or(true);
            let role = if is_persistent { Role::Buffer } else { Role::NonPersistentBuffer };
            roles.insert(buffer_name, role);
        }
    }
    roles
}
