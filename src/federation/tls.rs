//! TLS 1.3 with self-signed certificates of which only the Ed25519 key counts (spec 9.1).
//!
//! Duty: configurations without tickets and 0-RTT; the key that the other side has proven to hold. Never: deciding
//! whose key it is; the greeting compares it with the manifest.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls13_signature},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::crypto::{PublicKey, SecretKey};

/// The name of the protocol and its version.
const ALPN: &[u8] = b"comity/1";
/// Ed25519 in certificates (RFC 8410).
const ED25519_OID: &str = "1.3.101.112";

/// Takes any certificate with an Ed25519 key, and demands proof of that key.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl AnyKey {
    fn proof(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }
}

fn has_key(cert: &CertificateDer<'_>) -> Result<(), Error> {
    certificate_key(cert).map(drop).ok_or_else(|| Error::General("no Ed25519 key in the certificate".into()))
}

fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.3 only".into()))
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        has_key(cert).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        cert: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        has_key(cert).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// The Ed25519 key in a certificate; all else in it is ignored.
pub(super) fn certificate_key(cert: &CertificateDer<'_>) -> Option<PublicKey> {
    let (_, parsed) = X509Certificate::from_der(cert).ok()?;
    let info = parsed.public_key();
    let ed25519 = info.algorithm.algorithm.to_id_string() == ED25519_OID;
    let bytes = <[u8; 32]>::try_from(&*info.subject_public_key.data).ok()?;
    ed25519.then_some(PublicKey(bytes))
}

/// The key that the other side of a connection has proven to hold.
pub(super) fn proven_key(connection: &quinn::Connection) -> Option<PublicKey> {
    let identity = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    identity.first().and_then(certificate_key)
}

/// Both configurations for one key.
pub(super) fn configurations(key: &SecretKey) -> Result<(QuicServerConfig, QuicClientConfig), String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AnyKey(provider.clone()));
    let (cert, private) = certificate(key)?;
    let failed = |error: Error| error.to_string();
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .with_client_cert_verifier(verifier.clone())
        .with_single_cert(vec![cert.clone()], private.clone_key())
        .map_err(failed)?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    server.send_tls13_tickets = 0;
    server.max_early_data_size = 0;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![cert], private)
        .map_err(failed)?;
    client.alpn_protocols = vec![ALPN.to_vec()];
    client.resumption = Resumption::disabled();
    client.enable_early_data = false;
    let server = QuicServerConfig::try_from(server).map_err(|error| error.to_string())?;
    Ok((server, QuicClientConfig::try_from(client).map_err(|error| error.to_string())?))
}

fn certificate(key: &SecretKey) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), String> {
    let der = PrivatePkcs8KeyDer::from(key.pkcs8().to_vec());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ED25519);
    let pair = pair.map_err(|error| error.to_string())?;
    let params = rcgen::CertificateParams::new(vec!["comity".into()]).map_err(|error| error.to_string())?;
    let cert = params.self_signed(&pair).map_err(|error| error.to_string())?;
    Ok((cert.der().clone(), PrivateKeyDer::Pkcs8(der)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_holds_the_key() {
        let key = SecretKey::from_seed(&[9; 32]);
        let (cert, _) = certificate(&key).unwrap();
        assert_eq!(certificate_key(&cert), Some(key.public()));
        assert_eq!(certificate_key(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
