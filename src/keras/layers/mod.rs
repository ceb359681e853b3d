//! The layers of Keras: their classes, their own variables, and the layers inside them.

mod attention;
mod class;
mod convolution;
mod einsum;
mod locally_connected;
mod names;
mod normalization;
mod operations;
mod own;
mod policy;
mod recurrent;
mod shapes;
mod specs;

pub(super) use attention::{Projection, grouped_query, multi_head, projection_axes};
pub use class::canonical_class;
pub(super) use class::{class_of_group, is_builtin, is_of_applications, is_stateless, snake};
pub(super) use einsum::{einsum_output, kernel_axes};
pub(super) use names::{current_name, variable_names};
pub(super) use operations::is_operation_class;
pub(super) use own::{Rules, last_names, own_variables};
pub(super) use policy::Policy;
pub(super) use recurrent::cell_of;
pub(super) use shapes::InputShapes;
pub(super) use specs::{Spec, Specs};
