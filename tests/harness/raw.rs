//! A peer by hand: only keys and bytes, for what no honest node would send.
//!
//! Duty: QUIC with any key, frames as bytes. Never: the protocol's own checks.

use std::{net::SocketAddr, path::Path, sync::Arc};

use comity::{crypto::SecretKey, wire::cbor};
use quinn::{Connection, Endpoint, RecvStream, SendStream, crypto::rustls::QuicClientConfig};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::PATIENCE;

/// Believes any server: the attacker does not care.
#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &[rustls_pki_types::CertificateDer<'_>],
        _: &rustls_pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        unreachable!("TLS 1.3 only")
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ED25519]
    }
}

/// A raw connection with this TLS key.
pub(crate) async fn connect(key: &SecretKey, to: SocketAddr) -> (Endpoint, Connection) {
    let der = PrivatePkcs8KeyDer::from(key.pkcs8().to_vec());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ED25519).unwrap();
    let cert = rcgen::CertificateParams::new(vec!["x".into()]).unwrap().self_signed(&pair).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_auth_cert(vec![cert.der().clone()], PrivateKeyDer::Pkcs8(der))
        .unwrap();
    client.alpn_protocols = vec![b"comity/1".to_vec()];
    let client = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).unwrap()));
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connection = endpoint.connect_with(client, to, "comity").unwrap().await.unwrap();
    (endpoint, connection)
}

pub(crate) fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [length.as_slice(), bytes].concat()
}

pub(crate) async fn send(stream: &mut SendStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
}

pub(crate) async fn receive<T: serde::Serialize + serde::de::DeserializeOwned>(stream: &mut RecvStream) -> T {
    next(stream).await.unwrap()
}

/// `None`: the stream ended.
pub(crate) async fn next<T: serde::Serialize + serde::de::DeserializeOwned>(
    stream: &mut RecvStream,
) -> Option<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.ok()?;
    let mut bytes = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(cbor::decode(&bytes).unwrap())
}

/// Why the node closed the connection.
pub(crate) async fn closed(connection: &Connection) -> String {
    tokio::time::timeout(PATIENCE, connection.closed()).await.unwrap().to_string()
}

/// A key out of a workspace's folder.
pub(crate) fn key_of(dir: &Path, which: &str) -> SecretKey {
    comity::node::key_file::read(&dir.join("keys").join(which)).unwrap()
}
