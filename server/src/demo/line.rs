//! A line between two places of this machine that can be cut, slowed and made to lose: bytes go in at one port
//! and come out at another. Used by the demo and by the system tests. It changes no byte and knows no protocol.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that travel together, as in one packet.
const PACKET: usize = 1_400;
/// Packets on the way in one direction.
const ON_THE_WAY: usize = 256;
/// How soon a cut is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a line does to what passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Nothing passes, and what was open ends.
    pub cut: bool,
    /// Bytes a second in each direction; 0: as many as come.
    pub bytes_per_second: u64,
    /// How long each packet takes, one way.
    pub delay: Duration,
    /// Of a thousand packets, how many are lost at first and come only when they are sent again: they and
    /// all behind them are late by a second.
    pub lost_per_mille: u64,
    /// Nothing comes back: the far end hears and does, and its answers are lost. What was said is said again.
    pub deaf: bool,
}

/// A line.
pub struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    weather: Mutex<Weather>,
    ended: AtomicBool,
    carried: AtomicU64,
    packets: AtomicU64,
}

impl Shared {
    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn is_open(&self) -> bool {
        !self.ended.load(Ordering::Relaxed) && !self.weather().cut
    }
}

impl Line {
    /// A line to a server such as `http://127.0.0.1:40123`, in good weather.
    ///
    /// # Errors
    /// One sentence when no port can be opened, or the address is none.
    pub fn to(url: &str) -> Result<Self, String> {
        let target = url.trim_start_matches("http://").trim_end_matches('/');
        let target: SocketAddr = target.parse().map_err(|_| format!("`{url}` is no address of a line"))?;
        let failed = |error: std::io::Error| format!("a line could not be laid: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                if accepting.is_open()
                    && let Ok(far) = TcpStream::connect(target)
                {
                    join(&near, &far, &accepting);
                }
            }
        });
        Ok(Self { address, shared })
    }

    /// Where the near end is, such as `http://127.0.0.1:40124`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// Cuts it: what is open ends, what calls is not answered.
    pub fn cut(&self) {
        self.set(Weather { cut: true, ..self.shared.weather() });
    }

    /// Good weather again.
    pub fn heal(&self) {
        self.set(Weather::default());
    }

    /// Bytes that came out of it, both ways together.
    pub fn carried(&self) -> u64 {
        self.shared.carried.load(Ordering::Relaxed)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes whoever waits for the next caller.
        let _ = TcpStream::connect(self.address);
    }
}

/// Joins two sockets, each direction in two threads: one takes packets in, one lets them out when it is time.
fn join(near: &TcpStream, far: &TcpStream, shared: &Arc<Shared>) {
    for (from, to, back) in [(near, far, false), (far, near, true)] {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
        let _ = to.set_nodelay(true);
        let _ = from.set_read_timeout(Some(LOOK_EVERY));
        let (packets, taken) = sync_channel(ON_THE_WAY);
        let (taking, letting) = (Arc::clone(shared), Arc::clone(shared));
        std::thread::spawn(move || take(from, &packets, &taking));
        std::thread::spawn(move || let_out(to, &taken, &letting, back));
    }
}

fn take(mut from: TcpStream, packets: &SyncSender<(Instant, Vec<u8>)>, shared: &Shared) {
    let mut packet = [0; PACKET];
    while shared.is_open() {
        match from.read(&mut packet) {
            Ok(0) => break,
            Ok(length) => {
                let due = Instant::now() + shared.weather().delay;
                let bytes = packet.get(..length).unwrap_or_default().to_vec();
                if packets.send((due, bytes)).is_err() {
                    break;
                }
            }
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    if !shared.is_open() {
        let _ = from.shutdown(Shutdown::Both);
    }
}

fn let_out(mut to: TcpStream, packets: &Receiver<(Instant, Vec<u8>)>, shared: &Shared, back: bool) {
    while let Ok((due, bytes)) = packets.recv() {
        let weather = shared.weather();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // Every so-manieth packet, so that a run is like another one.
        let number = shared.packets.fetch_add(1, Ordering::Relaxed);
        if number.wrapping_mul(389) % 1_000 < weather.lost_per_mille {
            std::thread::sleep(Duration::from_secs(1));
        }
        if let Some(millis) = (bytes.len() as u64 * 1_000).checked_div(weather.bytes_per_second) {
            std::thread::sleep(Duration::from_millis(millis));
        }
        if !shared.is_open() {
            break;
        }
        if back && shared.weather().deaf {
            continue;
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
        shared.carried.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place that sends back what it hears.
    fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut heard in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let mut said = heard.try_clone().unwrap();
                    let _ = std::io::copy(&mut heard, &mut said);
                });
            }
        });
        url
    }

    fn call(line: &Line) -> TcpStream {
        let stream = TcpStream::connect(line.url().trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    }

    #[test]
    fn a_line_carries_every_byte_takes_its_time_and_ends_when_it_is_cut() {
        let line = Line::to(&echo()).unwrap();
        let mut stream = call(&line);
        let sent: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        let (mut writer, all) = (stream.try_clone().unwrap(), sent.clone());
        std::thread::spawn(move || writer.write_all(&all));
        let mut got = vec![0; sent.len()];
        stream.read_exact(&mut got).unwrap();
        assert!(got == sent && line.carried() == 200_000);
        line.set(Weather {
            delay: Duration::from_millis(150),
            bytes_per_second: 10_000,
            ..Weather::default()
        });
        let began = Instant::now();
        stream.write_all(&[7; 1_000]).unwrap();
        stream.read_exact(&mut got[..1_000]).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
        line.cut();
        assert!(matches!(stream.read(&mut got), Ok(0) | Err(_)), "what was open ends");
        assert!(matches!(call(&line).read(&mut got), Ok(0) | Err(_)), "what calls is not answered");
        line.heal();
        let mut again = call(&line);
        again.write_all(b"hello").unwrap();
        again.read_exact(&mut got[..5]).unwrap();
    }
}
