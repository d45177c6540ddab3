//! The process's one TLS provider: ring.

/// Makes ring the default provider; a second call changes nothing.
///
/// The crates of this workspace are built without a provider of their own (one TLS stack, no
/// second C build), so whoever speaks TLS calls this first.
pub fn install() {
    // An error says that a provider is installed already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
