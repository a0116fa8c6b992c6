//! Header fields as Go keeps them: by canonical name, in any bytes, checked only when they are sent.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::codec;

#[derive(Debug, Default, Clone)]
pub(super) struct Fields(Vec<(Vec<u8>, Vec<u8>)>);

impl Fields {
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((canonical(name), value.to_vec()));
    }

    /// Whether there was one.
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let (name, before) = (canonical(name), self.0.len());
        self.0.retain(|(known, _)| *known != name);
        self.0.len() < before
    }

    /// All values of a field, as a list.
    pub(super) fn values(&self, name: &[u8]) -> Vec<u8> {
        let name = canonical(name);
        let values = self.0.iter().filter(|(known, _)| *known == name);
        codec::strings(values.map(|(_, value)| value))
    }

    /// Each name once, as a list.
    pub(super) fn names(&self) -> Vec<u8> {
        let mut names: Vec<&[u8]> = Vec::new();
        for (name, _) in &self.0 {
            if !names.contains(&&**name) {
                names.push(name);
            }
        }
        codec::strings(names)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes of names and values.
    pub(super) fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    pub(super) fn size_of(&self, name: &[u8]) -> usize {
        let name = canonical(name);
        let of_name = self.0.iter().filter(|(known, _)| *known == name);
        of_name.map(|(name, value)| name.len() + value.len()).sum()
    }

    /// None if one of them cannot be sent.
    pub(super) fn to_map(&self) -> Option<HeaderMap> {
        let mut map = HeaderMap::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            let name = HeaderName::from_bytes(name).ok()?;
            map.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(map)
    }

    pub(super) fn of_map(map: &HeaderMap) -> Self {
        let fields = map
            .iter()
            .map(|(name, value)| (canonical(name.as_str().as_bytes()), value.as_bytes().to_vec()));
        Self(fields.collect())
    }
}

/// `Content-Type`; what is no name of a field stays as it is.
fn canonical(name: &[u8]) -> Vec<u8> {
    match HeaderName::from_bytes(name) {
        Ok(name) => codec::canonical(name.as_str()),
        Err(_) => name.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_kept_as_go_keeps_them() {
        let mut fields = Fields::default();
        for (name, value) in [("x-a", "p"), ("X-B", "q"), ("X-A", "r"), ("bad name", "s")] {
            fields.add(name.as_bytes(), value.as_bytes());
        }
        assert_eq!(fields.names(), b"X-A\0X-B\0bad name\0");
        assert_eq!(fields.values(b"X-a"), b"p\0r\0");
        assert_eq!(fields.values(b"x-c"), b"");
        assert!(fields.to_map().is_none());
        assert!(fields.remove(b"bad name"));
        assert!(!fields.remove(b"bad name"));
        assert_eq!(fields.to_map().unwrap().get_all("x-a").iter().count(), 2);
        assert_eq!((fields.len(), fields.size(), fields.size_of(b"x-A")), (3, 12, 8));
    }
}
