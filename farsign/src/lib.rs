//! FAR-SIGN.
