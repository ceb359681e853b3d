//! Recipes against naive loops.
