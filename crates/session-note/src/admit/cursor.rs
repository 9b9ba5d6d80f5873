//! Reading numbers, texts and stretches from untrusted bytes. Total: never panics, never allocates
//! by a stated length, and takes a number only in its shortest form.

use super::refusal::DoorRefusal;

/// The bytes not yet read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
    /// Everything that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], DoorRefusal> {
        let count = usize::try_from(count).map_err(|_| DoorRefusal::Truncated)?;
        let (head, tail) = self.rest.split_at_checked(count).ok_or(DoorRefusal::Truncated)?;
        self.rest = tail;
        Ok(head)
    }
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DoorRefusal> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(DoorRefusal::Truncated)?;
        self.rest = tail;
        Ok(*head)
    }
    pub(super) fn byte(&mut self) -> Result<u8, DoorRefusal> {
        self.array::<1>().map(|[byte]| byte)
    }
    /// An unsigned number, seven bits a byte, lowest first.
    pub(super) fn unsigned(&mut self) -> Result<u64, DoorRefusal> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DoorRefusal::BadNumber);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let overlong = byte == 0 && shift > 0;
                return if overlong { Err(DoorRefusal::BadNumber) } else { Ok(value) };
            }
        }
        Err(DoorRefusal::BadNumber)
    }
    /// A signed number, seven bits a byte, lowest first, in two's complement.
    pub(super) fn signed(&mut self) -> Result<i64, DoorRefusal> {
        let mut value = 0i64;
        for (index, shift) in (0..64).step_by(7).enumerate() {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(DoorRefusal::BadNumber);
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if shift < 57 && byte & 0x40 != 0 {
                    value |= -1i64 << (shift + 7);
                }
                let shortest = index + 1 == signed_len(value);
                return if shortest { Ok(value) } else { Err(DoorRefusal::BadNumber) };
            }
        }
        Err(DoorRefusal::BadNumber)
    }
    /// A text preceded by its length in bytes.
    pub(super) fn text(&mut self) -> Result<&'a str, DoorRefusal> {
        let length = self.unsigned()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| DoorRefusal::BadText)
    }
}

fn signed_len(value: i64) -> usize {
    let magnitude = value ^ (value >> 63);
    let bits = 65 - magnitude.leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], unsigned: Result<u64, DoorRefusal>, signed: Result<i64, DoorRefusal>) {
        assert_eq!(Cursor::new(bytes).unsigned(), unsigned, "{bytes:?} unsigned");
        assert_eq!(Cursor::new(bytes).signed(), signed, "{bytes:?} signed");
    }

    #[test]
    fn numbers_are_taken_only_in_their_shortest_form() {
        use DoorRefusal::{BadNumber, Truncated};
        check(&[0], Ok(0), Ok(0));
        check(&[0x7f], Ok(127), Ok(-1));
        check(&[0x3f], Ok(63), Ok(63));
        check(&[0xc0, 0x00], Err(BadNumber), Ok(64));
        check(&[0x80, 0x01], Ok(128), Ok(128));
        check(&[0x80, 0x00], Err(BadNumber), Err(BadNumber));
        check(&[0xff, 0x7f], Ok(0x3fff), Err(BadNumber));
        check(&[0x80], Err(Truncated), Err(Truncated));
        check(&[], Err(Truncated), Err(Truncated));
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        check(&most, Ok(u64::MAX), Err(BadNumber));
        let least = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f];
        check(&least, Err(BadNumber), Ok(i64::MIN));
        let greatest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00];
        check(&greatest, Err(BadNumber), Ok(i64::MAX));
        check(&[0xff; 11], Err(BadNumber), Err(BadNumber));
    }

    #[test]
    fn a_text_longer_than_the_bytes_is_refused() {
        assert_eq!(Cursor::new(&[2, b'h', b'i']).text(), Ok("hi"));
        assert_eq!(Cursor::new(&[3, b'h', b'i']).text(), Err(DoorRefusal::Truncated));
        assert_eq!(Cursor::new(&[1, 0xff]).text(), Err(DoorRefusal::BadText));
    }
}
