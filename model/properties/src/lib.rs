//! Properties of ZAB as pure functions over a view of the ensemble.
