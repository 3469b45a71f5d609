//! Table tests of the daemonset controller.
