//! Where the clinic's server is: a plain HTTP address on this machine. Sends nothing.

use std::net::IpAddr;

/// The address of a server, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    authority: String,
}

impl ServerAddress {
    /// Reads `http://127.0.0.1:8097`. This client speaks no TLS, so that nothing but an address of this
    /// machine is taken; a server elsewhere is reached through a tunnel or a proxy here.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches('/');
        let Some(authority) = text.strip_prefix("http://") else {
            return Err(format!(
                "`{}` is no address such as http://127.0.0.1:8097; for a server elsewhere, run a TLS tunnel on this machine",
                text.chars().take(80).collect::<String>()
            ));
        };
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => authority.split(':').next(),
        };
        let host = host.unwrap_or_default();
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let is_plain = authority.chars().all(|c| c.is_ascii_alphanumeric() || "[]:.-".contains(c));
        if !is_here || !is_plain {
            return Err(format!(
                "`{}` is not on this machine and would carry charts without TLS: run a TLS tunnel on this machine",
                text.chars().take(80).collect::<String>()
            ));
        }
        Ok(Self { authority: authority.to_owned() })
    }

    /// The address of a page of the server.
    pub fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority)
    }

    /// The address of the line between clinics, for a caller.
    pub fn line(&self, caller: chart::ids::ClinicId) -> String {
        format!("ws://{}/v1/site?clinic={caller}", self.authority)
    }

    /// The address of the tablets' WebSocket.
    pub fn websocket(&self) -> String {
        format!("ws://{}/v1/sync", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_taken() {
        for (text, socket) in [
            ("http://127.0.0.1:8097", "ws://127.0.0.1:8097/v1/sync"),
            ("http://localhost:1/", "ws://localhost:1/v1/sync"),
            ("http://[::1]:8097", "ws://[::1]:8097/v1/sync"),
        ] {
            assert_eq!(ServerAddress::parse(text).unwrap().websocket(), socket);
        }
    }

    #[test]
    fn charts_never_leave_the_machine_without_tls() {
        for text in [
            "http://clinic.example:8097",
            "http://10.0.0.1",
            "https://127.0.0.1",
            "127.0.0.1:8097",
            "http://127.0.0.1@x/",
        ] {
            let sentence = ServerAddress::parse(text).unwrap_err();
            assert!(sentence.contains("TLS tunnel on this machine"), "{sentence}");
        }
    }
}
