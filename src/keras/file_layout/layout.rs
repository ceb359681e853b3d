//! The files of an output.

use crate::lazy::Bytes;
use crate::tensor::Dtype;

use super::super::architecture::Architecture;
use super::super::carried::CarriedDataset;
use super::{Form, Format, Group, LayoutError, archive, check, legacy, reader, shards, weights};

/// An output: its files, and what of the architecture's file goes into them.
#[derive(Debug)]
pub struct Layout {
    /// The files, in the order in which they are to appear: what a file refers to comes before it, so the one
    /// that the caller named is the last.
    pub files: Vec<OutputFile>,
    /// The datasets that are carried over.
    pub carried: Vec<CarriedDataset>,
    /// The variables that the format has no dataset for, because it stores their value once, as another's: the
    /// kernel of a `SpectralNormalization`.
    pub shared: Vec<usize>,
}

/// A file of an output.
#[derive(Debug)]
pub struct OutputFile {
    /// The name of a file beside the one that the caller named; `None` for that itself.
    pub name: Option<String>,
    /// What it holds.
    pub body: Body,
}

/// What a file holds.
#[derive(Debug)]
pub enum Body {
    /// An HDF5 file.
    Hdf5(Group),
    /// A zip archive of stored members, each with its name.
    Archive(Vec<(String, Member)>),
    /// Text.
    Text(String),
}

/// A member of an archive.
#[derive(Debug)]
pub enum Member {
    /// Bytes as they are.
    Bytes(Bytes),
    /// An HDF5 file.
    Hdf5(Group),
}

/// What the formats are laid out from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) form: &'a Form,
    /// The element type that the file is to hold for a variable, or `None` for one that is left out (waived).
    pub(super) written: &'a dyn Fn(usize) -> Option<Dtype>,
}

/// The files of an output named `name`. `written` tells the element type that they are to hold for a variable,
/// or `None` for one that is left out (waived).
///
/// # Errors
/// When the format cannot hold the architecture so that Keras reads it.
pub fn lay_out(
    architecture: &Architecture,
    form: &Form,
    name: &str,
    written: &dyn Fn(usize) -> Option<Dtype>,
) -> Result<Layout, LayoutError> {
    check::check(architecture, form, written)?;
    let source = Source { architecture, form, written };
    let mut carried = Vec::new();
    let one = |body| vec![OutputFile { name: None, body }];
    let files = match form.format {
        Format::WeightsH5 => one(Body::Hdf5(weights::file(&source, &mut carried)?)),
        Format::Sharded => shards::files(&source, name, &mut carried)?,
        Format::LegacyH5 => one(Body::Hdf5(legacy::weights_file(&source)?)),
        Format::WholeH5 => one(Body::Hdf5(legacy::whole_file(&source, &mut carried)?)),
        Format::Keras => one(Body::Archive(archive::members(&source, &mut carried)?)),
    };
    Ok(Layout { files, carried, shared: reader::shared(architecture, form) })
}
