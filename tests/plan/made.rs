//! Both sides of a conversion, made in memory.

use std::path::PathBuf;

use ptw2k::checkpoint::{Checkpoint, Form, Role, Tensor};
use ptw2k::keras::{Architecture, Carried, FeatureOrder, Generation, Layer, Origin, Variable};
use ptw2k::lazy::{Bytes, LazyTensor};
use ptw2k::tensor::{ByteOrder, Dtype, Shape, StateDictKey, Strided, VariablePath};

/// A checkpoint of float32 tensors that count 0, 1, 2, … each.
pub(crate) fn checkpoint(tensors: &[(&str, &[usize])]) -> Checkpoint {
    let tensor = |&(key, sizes): &(&str, &[usize])| {
        let shape = Shape::new(sizes).unwrap();
        let values = (0..shape.numel()).flat_map(|value| (value as f32).to_le_bytes());
        let bytes = Bytes::held(values.collect());
        let view = Strided::contiguous(shape);
        let tensor =
            LazyTensor { dtype: Dtype::F32, view, byte_order: ByteOrder::Little, storage: bytes.into() };
        Tensor {
            key: StateDictKey::new(key),
            tensor,
            storage_number: None,
            tied_to: None,
            role: Role::Unknown,
        }
    };
    Checkpoint {
        path: PathBuf::from("weights.pt"),
        files: vec![PathBuf::from("weights.pt")],
        form: Form::Zip,
        tensors: tensors.iter().map(tensor).collect(),
        is_module_order: true,
        state_dict_path: Vec::new(),
        candidates: Vec::new(),
        stripped: Vec::new(),
        written_by: None,
        trainer: None,
        adapter: None,
        warnings: Vec::new(),
    }
}

/// A layer: path, class (empty when not told), feature order, and variables.
pub(crate) struct Spec<'a>(
    pub(crate) &'a str,
    pub(crate) &'a str,
    pub(crate) FeatureOrder,
    pub(crate) &'a [(&'a str, &'a [usize])],
);

/// A layer that nothing was flattened before.
pub(crate) fn layer<'a>(path: &'a str, class: &'a str, variables: &'a [(&'a str, &'a [usize])]) -> Spec<'a> {
    Spec(path, class, FeatureOrder::Plain, variables)
}

/// An architecture of float32 variables without values.
pub(crate) fn architecture(origin: Origin, layers: &[Spec<'_>]) -> Architecture {
    let mut architecture = Architecture {
        path: PathBuf::from("model.json"),
        origin,
        generation: Generation::Keras3,
        layers: Vec::new(),
        variables: Vec::new(),
        weightless: Vec::new(),
        legacy: None,
        carried: Carried::default(),
    };
    for Spec(path, class, features, variables) in layers {
        let start = architecture.variables.len();
        for (index, (name, sizes)) in variables.iter().enumerate() {
            architecture.variables.push(Variable {
                path: VariablePath::new(format!("{path}/{name}")),
                layer: architecture.layers.len(),
                name: (*name).to_owned().into(),
                index,
                shape: Shape::new(*sizes).unwrap(),
                dtype: Dtype::F32,
                trainable: true,
                initial: None,
                value: None,
            });
        }
        architecture.layers.push(Layer {
            path: (*path).to_owned(),
            name: (*path).to_owned(),
            aliases: Vec::new(),
            class: (!class.is_empty()).then(|| (*class).to_owned()),
            class_from_name: false,
            kernel_axes: None,
            variables: start..architecture.variables.len(),
            group: format!("layers/{path}"),
            inside: Vec::new(),
            config: None,
            features: features.clone(),
            outputs: FeatureOrder::Plain,
        });
    }
    architecture
}
