//! The vocabulary that every stage shares: element types, shapes, strided views, names, strided copies and
//! the kernels that carry them out. No I/O, and nothing of PyTorch's or Keras' files.

mod arithmetic;
mod copy;
mod dtype;
pub mod kernel;
mod layout;
mod name;
mod shape;
mod strided;

pub use arithmetic::Arithmetic;
pub(crate) use copy::clip;
pub use copy::{CopyAxes, CopyAxis, StridedCopy};
pub use dtype::{ByteOrder, Dtype};
pub use layout::{
    Capture, Inverse, Layout, LayoutError, LayoutErrorKind, Nature, Operation, Rearranged, Side,
    SizeEquation, Slice, SolveError, SourcePiece, TargetPiece, rearrange,
};
pub use name::{Printable, StateDictKey, VariablePath};
pub use shape::{MAX_RANK, Shape, ShapeError, Sizes};
pub use strided::{Strided, StridedError};
