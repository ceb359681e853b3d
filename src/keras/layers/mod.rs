//! The layers of Keras: their classes, their own variables, and the layers inside them.

mod attention;
mod class;
mod einsum;
mod operations;
mod own;
mod shapes;

pub(super) use attention::{Projection, grouped_query, multi_head};
pub(super) use class::{canonical, class_of_group, is_builtin, is_stateless, projection_class, snake};
pub(super) use einsum::einsum_output;
pub(super) use operations::is_operation_class;
pub(super) use own::{Spec, cell_of, own_variables, variable_dtype, variable_names};
pub(super) use shapes::InputShapes;
