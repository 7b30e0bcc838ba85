//! The UDP socket and quinn's settings.
//!
//! Duty: bounds of the transport, chosen so that content can never use up a connection's window. Never: a stream.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use quinn::{
    ClientConfig, Endpoint, EndpointConfig, IdleTimeout, TransportConfig, VarInt, congestion::CubicConfig,
};
use socket2::{Domain, Protocol, Socket, Type};

use tokio::sync::watch;

use super::{Federation, LinkError, tls};
use crate::{crypto::SecretKey, limits};

/// Size of the socket's buffers, in bytes: bursts on a fast path are not dropped.
const SOCKET_BYTES: usize = 4 * 1024 * 1024;
/// After this silence a connection is dead, in milliseconds.
const IDLE_MILLIS: u32 = 10_000;
/// How often an idle connection says that it lives, in seconds.
const KEEP_ALIVE_SECONDS: u64 = 3;
/// First congestion window, in bytes: a page of history in the first round trip.
const INITIAL_WINDOW: u64 = 128 * 1024;
/// Window of one stream, in bytes.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// Window of a connection: more than all streams together, so that control never waits for content.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Content streams at a time: one, and one that is being reset.
const UNI_STREAMS: u32 = 2;

/// Control and submissions, and the history requests.
fn bidi_streams() -> u32 {
    u32::try_from(limits::HISTORY_REQUESTS).unwrap_or(4) + 2
}

const _: () = assert!(STREAM_WINDOW * (UNI_STREAMS + 6) < CONNECTION_WINDOW);

/// The socket, and how it dials.
pub(super) fn bind(listen: SocketAddr, tls: &SecretKey) -> Result<(Endpoint, ClientConfig), LinkError> {
    let failed = |error: std::io::Error| LinkError::Listen(listen, error.to_string());
    let socket =
        Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP)).map_err(failed)?;
    for sized in [socket.set_recv_buffer_size(SOCKET_BYTES), socket.set_send_buffer_size(SOCKET_BYTES)] {
        sized.unwrap_or_else(|error| tracing::debug!(%error, "the socket keeps its default buffers"));
    }
    socket.bind(&listen.into()).map_err(failed)?;
    let runtime = Arc::new(quinn::TokioRuntime);
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket.into(), runtime).map_err(failed)?;
    let client = configure(&endpoint, tls).map_err(|error| LinkError::Listen(listen, error))?;
    Ok((endpoint, client))
}

fn configure(endpoint: &Endpoint, key: &SecretKey) -> Result<ClientConfig, String> {
    let (server, client) = tls::configurations(key)?;
    let transport = Arc::new(transport());
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(server));
    server.transport_config(transport.clone());
    let mut client = ClientConfig::new(Arc::new(client));
    client.transport_config(transport);
    endpoint.set_server_config(Some(server));
    Ok(client)
}

fn transport() -> TransportConfig {
    let mut cubic = CubicConfig::default();
    cubic.initial_window(INITIAL_WINDOW);
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MILLIS))))
        .keep_alive_interval(Some(Duration::from_secs(KEEP_ALIVE_SECONDS)))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(u64::from(CONNECTION_WINDOW))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS))
        .max_concurrent_bidi_streams(VarInt::from_u32(bidi_streams()))
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(Arc::new(cubic));
    transport
}

/// New connections use a new TLS key as soon as the node has it; those that are up stay.
pub(super) async fn renew(federation: Arc<Federation>, mut keys: watch::Receiver<Option<SecretKey>>) {
    while keys.changed().await.is_ok() {
        let key = keys.borrow_and_update().clone();
        match key.map(|key| configure(&federation.endpoint, &key)) {
            Some(Ok(client)) => drop(federation.client.send_replace(client)),
            Some(Err(error)) => tracing::error!(%error, "the new TLS key cannot be used"),
            None => {}
        }
    }
}
