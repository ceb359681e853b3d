//! The layers of Keras: their classes, their own variables, and the layers inside them.

mod attention;
mod class;
mod einsum;
mod own;
mod shapes;

pub(super) use attention::{Projection, grouped_query, multi_head};
pub(super) use class::{class_of_group, is_stateless, snake};
pub(super) use own::{Spec, cell_of, own_variables, variable_dtype, variable_names};
pub(super) use shapes::InputShapes;
