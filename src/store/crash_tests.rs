//! A disk that dies at any write (invariant 5): what was acknowledged is there, what was not is there whole or not at all.

use std::sync::{Arc, Mutex};

use redb::{Database, StorageBackend};

use crate::{
    crypto::{Random, sha256},
    protocol::{
        Change, Mark,
        row::{Row, Ticket},
    },
    store::Store,
    time::Millis,
};

/// What a disk holds: bytes that survive, and writes that a sync has not covered.
#[derive(Debug, Default)]
struct Disk {
    durable: Vec<u8>,
    seen: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    /// Writes until it dies.
    left: usize,
}

#[derive(Clone, Debug, Default)]
struct Dying(Arc<Mutex<Disk>>);

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

fn dead() -> std::io::Error {
    std::io::Error::other("the disk is dead")
}

impl Dying {
    fn step(&self) -> Result<std::sync::MutexGuard<'_, Disk>, std::io::Error> {
        let mut disk = self.0.lock().unwrap();
        disk.left = disk.left.checked_sub(1).ok_or_else(dead)?;
        Ok(disk)
    }

    /// The disk after the power came back: of what was not synced any part may be there.
    fn revived(&self, seed: [u8; 32]) -> Self {
        let disk = self.0.lock().unwrap();
        let (mut bytes, mut random) = (disk.durable.clone(), Random::from_seed(seed));
        for (at, data) in &disk.unsynced {
            let [chance] = random.bytes::<1>();
            if chance < 128 {
                put(&mut bytes, *at, data);
            }
        }
        let again = Disk { seen: bytes.clone(), durable: bytes, unsynced: vec![], left: usize::MAX };
        Self(Arc::new(Mutex::new(again)))
    }
}

impl StorageBackend for Dying {
    fn len(&self) -> Result<u64, std::io::Error> {
        Ok(self.0.lock().unwrap().seen.len().try_into().unwrap())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        let (disk, at) = (self.0.lock().unwrap(), usize::try_from(offset).unwrap());
        out.copy_from_slice(disk.seen.get(at..at + out.len()).ok_or_else(dead)?);
        Ok(())
    }
    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        let (mut disk, len) = (self.step()?, usize::try_from(len).unwrap());
        disk.seen.resize(len, 0);
        disk.durable.resize(len, 0);
        Ok(())
    }
    fn sync_data(&self) -> Result<(), std::io::Error> {
        let mut disk = self.step()?;
        disk.durable = disk.seen.clone();
        disk.unsynced.clear();
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        let (mut disk, at) = (self.step()?, usize::try_from(offset).unwrap());
        put(&mut disk.seen, at, data);
        disk.unsynced.push((at, data.to_vec()));
        Ok(())
    }
}

fn open(disk: &Dying) -> Result<(Store, crate::protocol::State), crate::store::Fault> {
    Store::with(Database::builder().create_with_backend(disk.clone())?)
}

fn ticket(n: u64) -> Vec<Change> {
    let ticket = Ticket { secret: sha256(&[&n.to_be_bytes()]), expires: Millis(n) };
    let id = crate::ids::WorkspaceId([1; 32]);
    vec![Change::Put(Row::Ticket(ticket)), Change::Mark(Mark::Peer(id))]
}

#[test]
fn a_disk_that_dies_at_any_write_loses_nothing_acknowledged() {
    for left in 0..160 {
        let disk = Dying::default();
        disk.0.lock().unwrap().left = left;
        let mut acknowledged = 0;
        if let Ok((mut store, _)) = open(&disk) {
            while acknowledged < 20 && store.commit(&ticket(acknowledged + 1)).is_ok() {
                acknowledged += 1;
            }
        }
        for seed in 0..4u8 {
            let (store, state) = match open(&disk.revived([seed; 32])) {
                Ok(opened) => opened,
                Err(_) if acknowledged == 0 => continue,
                Err(error) => panic!("{left} writes, {acknowledged} commits: {error}"),
            };
            let held: u64 = state.tickets.len().try_into().unwrap();
            assert!(held == acknowledged || held == acknowledged + 1, "{left}: {held} of {acknowledged}");
            assert_eq!(store.position(), held, "state and journal are of one commit");
            let prefix = (1..=held).all(|n| state.tickets.contains_key(&sha256(&[&n.to_be_bytes()])));
            assert!(prefix, "{left}: a later commit without an earlier one");
        }
    }
}
