//! `.keras`.

use std::io::{Read as _, Write as _};
use std::path::Path;

use ptw2k::keras::Architecture;
use ptw2k::keras::file_layout::{
    Attribute, AttributeValue, Content, Dataset, Form, Format, Group, LayoutError, Node,
};
use ptw2k::plan::{Binding, Provenance, Value};
use ptw2k::tensor::{Arithmetic, Dtype, Shape};
use ptw2k::writer::{WriteOptions, write_tree};
use tempfile::TempDir;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::made::{FILL, KEEP, convert, form, own, plan, refusal, sorted, stored, testdata};

/// The members of an archive: name, bytes, and where they start. Reading compares the checksums.
fn members(path: &Path) -> Vec<(String, Vec<u8>, u64)> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let count = zip.len();
    let read = |at: usize| {
        let mut member = zip.by_index(at).unwrap();
        assert_eq!(member.compression(), CompressionMethod::Stored);
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        (member.name().unwrap().into_owned(), bytes, member.data_start().unwrap())
    };
    (0..count).map(read).collect()
}

/// A `.weights.h5` of the archive's variables and some that are none of the model's.
fn weights(path: &Path, archive: &Path) {
    let variables = own(archive, Format::WeightsH5);
    let shapes: Vec<Shape> =
        Architecture::open(archive).unwrap().variables.into_iter().map(|one| one.shape).collect();
    let further =
        [("layers/text/_lookup/vars/idf_weights", 3), ("optimizer/vars/0", 2), ("optimizer/vars/10", 5)];
    let paths = variables.iter().map(|(path, ..)| path.as_str()).chain(further.map(|(path, _)| path));
    let mut root = Group::default();
    for (at, path) in paths.enumerate() {
        let mut group = &mut root;
        let (parents, name) = path.rsplit_once('/').unwrap();
        for part in parents.split('/') {
            if !group.children.iter().any(|(name, _)| name == part) {
                group.children.push((part.to_owned().into(), Node::Group(Group::default())));
            }
            group = match &mut group.children.iter_mut().find(|(name, _)| name == part).unwrap().1 {
                Node::Group(group) => group,
                other => panic!("{other:?}"),
            };
        }
        let dataset = Dataset { content: Content::Variable(at), attributes: vec![] };
        group.children.push((name.to_owned().into(), Node::Dataset(dataset)));
    }
    root.attributes.push(Attribute { name: "a".into(), value: AttributeValue::Text("b".to_owned()) });
    let shapes: Vec<Shape> =
        shapes.into_iter().chain(further.map(|(_, size)| Shape::new([size]).unwrap())).collect();
    let bindings: Vec<Binding> = (0..shapes.len())
        .map(|variable| Binding {
            variable,
            dtype: Dtype::F32,
            value: Value::Fill(variable as f64 + 0.25),
            arithmetic: Arithmetic::default(),
            provenance: Provenance::Waiver("test".to_owned()),
            layout: "".into(),
        })
        .collect();
    let entries: Vec<_> =
        bindings.iter().zip(&shapes).map(|(binding, shape)| (binding, shape, String::new())).collect();
    let options = WriteOptions { form: Form::default(), threads: Some(1), allow_overflow: false };
    write_tree(root, &entries, path, &options, &()).unwrap();
}

const METADATA: &[u8] = b"{\"keras_version\": \"3.9.9\",  \"date_saved\": \"2026-01-02@03:04:05\"}";
const VOCABULARY: &[u8] = "eins\nzw\u{f6}lf".as_bytes();

/// An archive with everything that one can hold.
fn full(folder: &TempDir) -> std::path::PathBuf {
    let own = testdata("sequential_cnn.keras");
    weights(&folder.path().join("w.h5"), &own);
    let config = members(&own).into_iter().find(|(name, ..)| name == "config.json").unwrap().1;
    let path = folder.path().join("full.keras");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let deflated = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let weights = std::fs::read(folder.path().join("w.h5")).unwrap();
    for (name, bytes) in [
        ("metadata.json", METADATA),
        ("config.json", &config),
        ("model.weights.h5", &weights),
        ("assets/layers/text_vectorization/w\u{f6}rter.txt", VOCABULARY),
        ("notes.txt", b""),
    ] {
        zip.start_file(name, deflated).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    path
}

#[test]
fn carries_everything_over() {
    let folder = TempDir::new().unwrap();
    let (full, output) = (full(&folder), folder.path().join("out.keras"));
    for optimizer in [true, false] {
        let form = Form { optimizer, ..Form::new(Format::Keras) };
        let written = convert(&full, KEEP, &form, &output);
        assert_eq!(written.files, std::slice::from_ref(&output));
        let (before, after) = (Architecture::open(&full).unwrap(), Architecture::open(&output).unwrap());
        assert_eq!(sorted(own(&output, Format::Keras)), sorted(own(&full, Format::Keras)));
        let text = |bytes: &Option<ptw2k::lazy::Bytes>| bytes.as_ref().unwrap().as_slice().to_vec();
        assert_eq!(text(&after.carried.config), text(&before.carried.config));
        let held: Vec<_> =
            after.carried.members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        assert_eq!(
            held,
            [
                ("metadata.json", METADATA),
                ("assets/layers/text_vectorization/w\u{f6}rter.txt", VOCABULARY),
                ("notes.txt", b"")
            ]
        );
        let datasets = |carried: &[ptw2k::keras::CarriedDataset]| -> Vec<_> {
            carried.iter().map(|one| (one.path.clone(), one.tensor.contiguous().unwrap())).collect()
        };
        let idf = datasets(&after.carried.datasets);
        assert_eq!(idf, datasets(&before.carried.datasets));
        assert_eq!(
            idf.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
            ["layers/text/_lookup/vars/idf_weights"]
        );
        let state = datasets(&after.carried.optimizer);
        assert_eq!(state, if optimizer { datasets(&before.carried.optimizer) } else { vec![] });
        assert_eq!(datasets(&before.carried.optimizer).len(), 2);
    }
    let notes = |form: &Form| -> Vec<String> {
        plan(&full, KEEP, form, None).notes.into_iter().map(|note| note.text).collect()
    };
    let has = |notes: &[String], part: &str| notes.iter().any(|note| note.contains(part));
    assert!(has(&notes(&Form::new(Format::Keras)), "the optimizer's state is left out"));
    assert!(!has(&notes(&Form { optimizer: true, ..Form::new(Format::Keras) }), "optimizer"));
    let whole = notes(&Form::new(Format::WholeH5));
    assert!(
        has(&whole, "`assets/layers/text_vectorization/w\u{f6}rter.txt`") && has(&whole, "idf_weights"),
        "{whole:?}"
    );
    assert!(!has(&notes(&Form::new(Format::WeightsH5)), "optimizer"));
}

#[test]
fn made_of_a_configuration() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.keras");
    convert(&testdata("functional.json"), FILL, &form(Format::Keras, ""), &output);
    let members = members(&output);
    let names: Vec<_> = members.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["metadata.json", "config.json", "model.weights.h5"]);
    assert_eq!(members[0].1, b"{\"keras_version\": \"3.0.0\"}");
    assert_eq!(members[1].1, std::fs::read(testdata("functional.json")).unwrap());
    // The datasets keep their alignment in the archive.
    assert_eq!(members[2].2 % 4096, 0);
    convert(&testdata("functional.json"), FILL, &form(Format::Keras, "3.15.1"), &output);
    assert_eq!(self::members(&output)[0].1, b"{\"keras_version\": \"3.15.1\"}");

    let alone = folder.path().join("alone.weights.h5");
    convert(&testdata("functional.json"), FILL, &form(Format::WeightsH5, ""), &alone);
    assert_eq!(members[2].1, std::fs::read(&alone).unwrap());
    assert_eq!(stored(&output), stored(&alone));
}

#[test]
fn unzipped() {
    let folder = TempDir::new().unwrap();
    let full = full(&folder);
    let unzipped = folder.path().join("unzipped");
    zip::ZipArchive::new(std::fs::File::open(&full).unwrap()).unwrap().extract(&unzipped).unwrap();
    let form = Form { optimizer: true, ..Form::new(Format::Keras) };
    let (one, other) = (folder.path().join("one.keras"), folder.path().join("other.keras"));
    convert(&full, KEEP, &form, &one);
    // A folder may hold anything; what is no part of an archive stays there.
    convert(&unzipped, KEEP, &form, &other);
    let without = |path: &Path| -> Vec<_> {
        let carried = Architecture::open(path).unwrap().carried.members;
        carried
            .into_iter()
            .filter(|(name, _)| name != "notes.txt")
            .map(|(name, bytes)| (name, bytes.as_slice().to_vec()))
            .collect()
    };
    assert_eq!(without(&other), without(&one));
    let into = unzipped.join("model.weights.h5");
    let plan = plan(&unzipped, KEEP, &Form::default(), None);
    let error = crate::made::write(&plan, &Form::default(), &into, 1).unwrap_err();
    assert!(matches!(error, ptw2k::writer::Error::OutputIsInput { .. }), "{error}");
}

#[test]
fn refuses() {
    let optimizer = |format| Form { optimizer: true, ..Form::new(format) };
    let refuse = |architecture, form: &Form| refusal(architecture, KEEP, form, "out.keras");
    assert_eq!(refuse("sequential_cnn.keras", &optimizer(Format::Keras)), LayoutError::NoOptimizer);
    assert_eq!(refuse("subclassed.weights.h5", &form(Format::Keras, "")), LayoutError::NoConfig);
    let generation = refuse("sequential_cnn.keras", &form(Format::Keras, "2.15"));
    assert!(matches!(generation, LayoutError::OtherGeneration { own: 3, .. }), "{generation}");
}
