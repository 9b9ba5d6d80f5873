//! store-sled
