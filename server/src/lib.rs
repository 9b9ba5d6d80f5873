//! gaitway
