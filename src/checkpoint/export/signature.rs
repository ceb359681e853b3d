//! The program's signature, which tells what its inputs are: `graph_module.signature.input_specs`
//! (`torch/_export/serde/schema.py`). Everything else of the program is passed over.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::checkpoint::records::Records;
use crate::checkpoint::state_dict::Role;

/// Bytes of a program. Those of large models have tens of megabytes.
const MAX_PROGRAM_BYTES: u64 = 256 << 20;

/// Bytes of a compressed program: it is inflated into memory.
const MAX_INFLATED_BYTES: u64 = 64 << 20;

/// Parameters and buffers of a program.
const MAX_ROLES: usize = 1 << 18;

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
    input_specs: Roles,
}

/// The roles of parameters and buffers by name. Inputs of the user take no memory.
struct Roles(HashMap<String, Role>);

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

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Specs;
        impl<'de> Visitor<'de> for Specs {
            type Value = Roles;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of input specifications")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut specs: A) -> Result<Self::Value, A::Error> {
                let mut roles = HashMap::new();
                while let Some(InputSpec { parameter, buffer }) = specs.next_element()? {
                    if let Some(Parameter { parameter_name }) = parameter {
                        roles.insert(parameter_name, Role::Parameter);
                    }
                    if let Some(Buffer { buffer_name, persistent }) = buffer {
                        let is_persistent = persistent.unwrap_or(true);
                        let role = if is_persistent { Role::Buffer } else { Role::NonPersistentBuffer };
                        roles.insert(buffer_name, role);
                    }
                    if roles.len() > MAX_ROLES {
                        return Err(serde::de::Error::invalid_length(roles.len(), &self));
                    }
                }
                Ok(Roles(roles))
            }
        }
        deserializer.deserialize_seq(Specs)
    }
}

/// The roles of parameters and buffers by name; empty where the program is missing or of another form.
pub(super) fn read(records: &mut Records, record: &str) -> HashMap<String, Role> {
    if records.size(record).is_none_or(|size| size > MAX_PROGRAM_BYTES) {
        return HashMap::new();
    }
    let Ok(Some(text)) = records.find(record, MAX_INFLATED_BYTES) else { return HashMap::new() };
    let program = serde_json::from_slice::<Program>(text.as_slice());
    program.map_or_else(|_| HashMap::new(), |program| program.graph_module.signature.input_specs.0)
}
