//! A zip writer that can break every rule.

/// One entry. [`Entry::stored`] and [`Entry::deflated`] make valid ones.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The whole name in the central directory.
    pub(crate) name: String,
    /// The name in the local header.
    pub(crate) local_name: String,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    /// Bytes when inflated.
    pub(crate) size: u64,
    /// The bytes as they stand in the file.
    pub(crate) bytes: Vec<u8>,
    /// Bytes of padding in the local header's extra field.
    pub(crate) padding: u16,
    /// Whether sizes and places stand in zip64 extra fields.
    pub(crate) is_zip64: bool,
    /// Whether the directory names the local header of the entry before.
    pub(crate) reuses_header: bool,
}

impl Entry {
    pub(crate) fn stored(name: &str, bytes: &[u8]) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        Self {
            name: name.to_owned(),
            local_name: name.to_owned(),
            method: 0,
            flags: 0,
            crc: crc.sum(),
            size: bytes.len() as u64,
            bytes: bytes.to_vec(),
            padding: 0,
            is_zip64: false,
            reuses_header: false,
        }
    }

    pub(crate) fn deflated(name: &str, bytes: &[u8]) -> Self {
        let mut deflated = Vec::new();
        let encoder = flate2::read::DeflateEncoder::new(bytes, flate2::Compression::best());
        std::io::copy(&mut { encoder }, &mut deflated).unwrap();
        Self { method: 8, bytes: deflated, ..Self::stored(name, bytes) }
    }

    /// Signature and the fields that both headers have, from the version to the length of the name.
    fn header(&self, name: &str, signature: &[u8]) -> Vec<u8> {
        let size = |value: u64| if self.is_zip64 { u32::MAX } else { u32::try_from(value).unwrap() };
        let mut header = signature.to_vec();
        header.extend(self.flags.to_le_bytes());
        header.extend(self.method.to_le_bytes());
        header.extend([0; 4]);
        header.extend(self.crc.to_le_bytes());
        header.extend(size(self.bytes.len() as u64).to_le_bytes());
        header.extend(size(self.size).to_le_bytes());
        header.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        header
    }

    fn zip64_extra(&self, values: &[u64]) -> Vec<u8> {
        if !self.is_zip64 {
            return Vec::new();
        }
        let mut extra = vec![1, 0];
        extra.extend(u16::try_from(8 * values.len()).unwrap().to_le_bytes());
        extra.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        extra
    }
}

/// An archive, as its entries and what ends it.
#[derive(Clone, Default)]
pub(crate) struct Archive {
    pub(crate) entries: Vec<Entry>,
    pub(crate) comment: Vec<u8>,
    /// Whether a zip64 end record and its locator stand before the end record.
    pub(crate) is_zip64: bool,
    /// Added to the number of entries that the end record announces.
    pub(crate) more_entries: u16,
    /// Bytes between the central directory and the end record.
    pub(crate) gap: Vec<u8>,
}

impl Archive {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut directory = Vec::new();
        let mut header_at = 0;
        for entry in &self.entries {
            if !entry.reuses_header {
                header_at = file.len() as u64;
            }
            let compressed = entry.bytes.len() as u64;
            let extra = entry.zip64_extra(&[entry.size, compressed]);
            file.extend(entry.header(&entry.local_name, b"PK\x03\x04\x2d\0"));
            file.extend((u16::try_from(extra.len()).unwrap() + entry.padding).to_le_bytes());
            file.extend(entry.local_name.bytes());
            file.extend(extra);
            file.extend(vec![b'Z'; entry.padding.into()]);
            file.extend(&entry.bytes);
            let extra = entry.zip64_extra(&[entry.size, compressed, header_at]);
            let place = if entry.is_zip64 { u32::MAX } else { u32::try_from(header_at).unwrap() };
            directory.extend(entry.header(&entry.name, b"PK\x01\x02\x2d\0\x2d\0"));
            directory.extend(u16::try_from(extra.len()).unwrap().to_le_bytes());
            directory.extend([0; 10]);
            directory.extend(place.to_le_bytes());
            directory.extend(entry.name.bytes());
            directory.extend(extra);
        }
        let start = file.len() as u64;
        let count = u16::try_from(self.entries.len()).unwrap() + self.more_entries;
        file.extend(&directory);
        file.extend(&self.gap);
        if self.is_zip64 {
            let end = file.len() as u64;
            file.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
            for value in [count.into(), count.into(), directory.len() as u64, start] {
                file.extend(value.to_le_bytes());
            }
            file.extend(b"PK\x06\x07\0\0\0\0");
            file.extend(end.to_le_bytes());
            file.extend([1, 0, 0, 0]);
        }
        let wide = self.is_zip64;
        file.extend(b"PK\x05\x06\0\0\0\0");
        for _ in 0..2 {
            file.extend(if wide { u16::MAX } else { count }.to_le_bytes());
        }
        for value in [directory.len() as u64, start] {
            file.extend(if wide { u32::MAX } else { u32::try_from(value).unwrap() }.to_le_bytes());
        }
        file.extend(u16::try_from(self.comment.len()).unwrap().to_le_bytes());
        file.extend(&self.comment);
        file
    }
}
