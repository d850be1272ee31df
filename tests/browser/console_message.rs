//! Messages of the browser console.

use std::net::SocketAddr;

use serde_json::Value;

/// A message in the console of the page or of one of its workers.
#[derive(Clone, Debug)]
pub struct ConsoleMessage {
    /// `SEVERE` for errors and uncaught exceptions, `WARNING`.
    pub level: String,
    /// `console-api`, `javascript`, `network`, `worker`, ...
    pub source: String,
    /// The text, with the address of the script first.
    pub text: String,
}

impl ConsoleMessage {
    /// Parses an entry of Chromium's log.
    pub fn from_entry(entry: &Value) -> Self {
        let text = |name: &str| {
            entry[name]
                .as_str()
                .expect("a text of the log entry")
                .to_owned()
        };
        Self {
            level: text("level"),
            source: text("source"),
            text: text("message"),
        }
    }

    /// Parses a line of Firefox. `None` if it is not an error or a warning, or is of the browser itself. Firefox also
    /// reports a script of the page that it interrupts to open another address.
    pub fn from_line(line: &str) -> Option<Self> {
        const STARTS: [(&str, &str, &str); 4] = [
            ("console.error: ", "SEVERE", "console-api"),
            ("console.warn: ", "WARNING", "console-api"),
            ("JavaScript error: ", "SEVERE", "javascript"),
            ("JavaScript warning: ", "WARNING", "javascript"),
        ];
        const INTERNAL: [&str; 5] = [
            "resource:",
            "chrome:",
            "moz-src:",
            "moz-extension:",
            "RSLoader:",
        ];
        let (message, level, source) = STARTS
            .iter()
            .find_map(|(start, level, source)| Some((line.strip_prefix(start)?, level, source)))?;
        let is_internal = INTERNAL.iter().any(|scheme| message.starts_with(scheme))
            || message.contains("Script terminated by timeout");
        let message = Self {
            level: (*level).into(),
            source: (*source).into(),
            text: message.to_owned(),
        };
        (!is_internal).then_some(message)
    }

    /// Returns whether the message only reports that the server at this address is unreachable.
    pub fn is_lost_connection(&self, server: SocketAddr) -> bool {
        let api = format!("http://{server}/api/v1/");
        let unreachable = " - Failed to load resource: net::ERR_";
        let socket = format!("WebSocket connection to 'ws://{server}/ws' failed: ");
        match self.source.as_str() {
            "network" => self.text.starts_with(&api) && self.text.contains(unreachable),
            "worker" => self.text.contains(&socket),
            _ => false,
        }
    }
}
