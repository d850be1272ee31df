//! The WebSocket to a server, directly or through a proxy.

use std::io;

use farsign::wire::SUBPROTOCOL;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::failure;
use super::proxy::{HttpProxy, without_brackets};
use super::server::RemoteServer;

/// A connection to the server or to a proxy, with TLS if the proxy uses it.
type Connection = MaybeTlsStream<TcpStream>;

/// A WebSocket to a server, with TLS if the server uses it.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<Connection>>;

impl RemoteServer {
    /// Opens the WebSocket.
    ///
    /// # Errors
    /// Returns a description of the failure, with advice.
    pub(crate) async fn connect(&self, config: WebSocketConfig) -> Result<Socket, String> {
        let request = self.socket_request();
        let stream = self.open_connection(request.uri()).await?;
        let connector = if self.url.is_secure() {
            Connector::Rustls(self.authorities.of_sockets())
        } else {
            Connector::Plain
        };
        let opened = client_async_tls_with_config(request, stream, Some(config), Some(connector));
        Box::pin(opened) // its buffers would take the stack of every worker
            .await
            .map(|(socket, _)| socket)
            .map_err(|error| self.with_proxy(failure::of_socket(&error, &self.url)))
    }

    fn socket_request(&self) -> Request {
        let url = self.url.socket_url();
        let mut request = url.into_client_request().expect("a server URL is valid");
        let headers = request.headers_mut();
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        );
        if let Some(authorization) = self.url.authorization() {
            let value = HeaderValue::from_str(authorization.as_str());
            headers.insert(AUTHORIZATION, value.expect("Base64 is ASCII"));
        }
        request
    }

    /// Connects to the server, or to the proxy and through its tunnel to the server.
    async fn open_connection(&self, server: &Uri) -> Result<Connection, String> {
        let name = server.host().unwrap_or_default();
        let default_port = if self.url.is_secure() { 443 } else { 80 };
        let port = server.port_u16().unwrap_or(default_port);
        let Some(proxy) = &self.proxy else {
            let stream = open_tcp(without_brackets(name), port).await;
            let stream = stream.map_err(|error| failure::of_connection(&error, &self.url))?;
            return Ok(MaybeTlsStream::Plain(stream));
        };
        let connected = self.connect_to_proxy(proxy).await;
        let mut stream = connected.map_err(|error| self.tunnel_failed(&error.to_string()))?;
        let opened = proxy
            .open_tunnel(&mut stream, &format!("{name}:{port}"))
            .await;
        opened.map_err(|error| self.tunnel_failed(&error.to_string()))?;
        Ok(stream)
    }

    fn tunnel_failed(&self, reason: &str) -> String {
        self.with_proxy(failure::of_tunnel(reason))
    }

    async fn connect_to_proxy(&self, proxy: &HttpProxy) -> io::Result<Connection> {
        let (name, port) = proxy.address();
        let stream = open_tcp(name, port).await?;
        if !proxy.is_secure() {
            return Ok(MaybeTlsStream::Plain(stream));
        }
        let connector = TlsConnector::from(self.authorities.of_sockets());
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let stream = connector.connect(name, stream).await?;
        Ok(MaybeTlsStream::Rustls(stream))
    }
}

/// Connects without Nagle's algorithm, which would delay updates.
async fn open_tcp(name: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((name, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
