//! Packed files: what is written can be opened, what was damaged is refused or packed again, nothing is left behind.

use super::{OpenOptionsPacked, WeightSet, cache};
use crate::error::ErrorCode;
use crate::testing::Sources;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A folder of its own for one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("ne-weights-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("model.neweights")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sources() -> Sources {
    let mut sources = Sources::default();
    sources.floats(&[3], &[1.0, 2.0, 3.0]);
    sources.add(json!({"kind": "linear_u8s8", "format": "sparse4x1", "m": 8, "k": 6, "order": "mk"}), &[1i8; 48]);
    sources.add(json!({"kind": "linear_u8s8", "format": "dense", "m": 3, "k": 5, "order": "km"}), &[2i8; 15]);
    sources.add(json!({"kind": "linear_f32", "format": "dense", "m": 3, "k": 5, "order": "km"}), &[2.0f32; 15]);
    sources.add(json!({"kind": "linear_f32", "format": "sparse4x1", "m": 4, "k": 5, "order": "mk"}), &[2.0f32; 20]);
    sources.add(json!({"kind": "tensor", "dtype": "bool", "dims": [0, 7]}), &[0u8; 0]);
    sources
}

fn write(path: &Path, limit: Option<u64>) -> WeightSet {
    let sources = sources();
    WeightSet::in_file(path, &sources.specs(), &sources.views(), "any text", limit, OpenOptionsPacked::default()).unwrap()
}

fn open(path: &Path) -> crate::error::Result<Option<WeightSet>> {
    WeightSet::open(path, OpenOptionsPacked { copy: false, verify: true })
}

#[test]
fn what_was_packed_comes_back_mapped_or_copied_with_its_text() {
    let folder = Folder::new("back");
    let written = write(&folder.file(), None);
    assert!(written.is_mapped());
    for copy in [false, true] {
        let set = WeightSet::open(&folder.file(), OpenOptionsPacked { copy, verify: true }).unwrap().unwrap();
        assert_eq!((set.is_mapped(), set.meta(), set.len()), (!copy, "any text", 6));
        assert_eq!(set.tensor(0).unwrap().elements::<f32>().unwrap(), [1.0, 2.0, 3.0]);
        assert_eq!((set.linear_i8(1).unwrap().m(), set.linear_i8(2).unwrap().k()), (8, 5));
        assert_eq!((set.linear_f32(3).unwrap().rows(), set.linear_f32(4).unwrap().inputs()), (3, 5));
        assert!(set.tensor(5).unwrap().bytes.is_empty());
        assert!(set.tensor(1).unwrap_err().message.contains("linear_u8s8"));
        assert!(set.linear_f32(9).unwrap_err().message.contains("does not exist"));
    }
    let memory = WeightSet::in_memory(&sources().specs(), &sources().views(), String::new()).unwrap();
    assert_eq!(memory.tensor(0).unwrap().bytes, written.tensor(0).unwrap().bytes);
}

#[test]
fn a_source_that_lies_the_other_way_is_turned() {
    let mut sources = Sources::default();
    let (m, k) = (37, 70);
    let by_rows: Vec<f32> = (0..m * k).map(|i| i as f32).collect();
    let by_columns: Vec<f32> = (0..k * m).map(|i| by_rows[i % m * k + i / m]).collect();
    sources.add(json!({"kind": "linear_f32", "format": "dense", "m": m, "k": k, "order": "mk"}), &by_rows);
    sources.add(json!({"kind": "linear_f32", "format": "dense", "m": m, "k": k, "order": "km"}), &by_columns);
    let folder = Folder::new("turned");
    WeightSet::in_file(&folder.file(), &sources.specs(), &sources.views(), "", None, OpenOptionsPacked::default()).unwrap();
    let file = fs::read(folder.file()).unwrap();
    let bytes = m.next_multiple_of(6) * k * 4;
    assert_eq!(file[64..64 + bytes], file[64 + bytes.next_multiple_of(64)..][..bytes]);
}

#[test]
fn sources_that_do_not_hold_what_is_said_are_refused() {
    for (spec, message) in [
        (json!({"kind": "tensor", "dtype": "f32", "dims": [4], "buffer": 0}), "need 16 bytes"),
        (json!({"kind": "tensor", "dtype": "f32", "dims": [3], "buffer": 1}), "does not exist"),
        (json!({"kind": "linear_f32", "format": "dense", "m": 1, "k": 4, "order": "mk", "buffer": 0}), "need 16 bytes"),
        (json!({"kind": "linear_f32", "format": "dense", "m": 0, "k": 4, "order": "mk", "buffer": 0}), "no rows"),
        (json!({"kind": "linear_f32", "format": "dense", "m": 1u64 << 33, "k": 1u64 << 33, "order": "mk", "buffer": 0}), "too many"),
        (json!({"kind": "linear_u8s8", "format": "sparse4x1", "m": 3, "k": 4, "order": "mk", "buffer": 0}), "multiple of 4"),
    ] {
        let specs = [serde_json::from_value(spec).unwrap()];
        let error = WeightSet::in_memory(&specs, &[&[0; 12]], String::new()).unwrap_err();
        assert!(error.message.contains(message) && error.message.starts_with("weight 0"), "{}", error.message);
    }
}

/// M3: packed files that others could write, links and pipes.
#[test]
fn files_and_folders_are_private_and_links_pipes_and_writable_files_are_refused() {
    let folder = Folder::new("private");
    write(&folder.file(), None);
    assert_eq!(fs::metadata(&folder.0).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(folder.file()).unwrap().mode() & 0o777, 0o600);
    let refused = |path: &Path| open(path).unwrap_err().code;
    let link = folder.0.join("link");
    symlink(folder.file(), &link).unwrap();
    assert_eq!(refused(&link), ErrorCode::Path);
    assert_eq!(refused(&folder.0), ErrorCode::Path);
    let pipe = std::ffi::CString::new(folder.0.join("pipe").to_str().unwrap()).unwrap();
    // SAFETY: a terminated string.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    assert_eq!(refused(&folder.0.join("pipe")), ErrorCode::Path);
    fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(refused(&folder.file()), ErrorCode::Path);
    assert!(open(&folder.0.join("absent")).unwrap().is_none());
}

/// B1, B3, B5, M3: every length that is too short or too long, every byte, the header among them.
#[test]
fn every_cut_file_is_packed_again_and_every_changed_byte_is_refused() {
    let folder = Folder::new("damaged");
    write(&folder.file(), None);
    let good = fs::read(folder.file()).unwrap();
    let path = folder.0.join("copy");
    let put = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    for length in (0..good.len()).step_by(7) {
        put(&good[..length]);
        assert!(open(&path).unwrap().is_none(), "cut to {length}");
    }
    put(&[&good[..], &[0]].concat());
    assert_eq!(open(&path).unwrap_err().code, ErrorCode::IrMismatch);
    for at in 0..good.len() {
        for change in [good[at] ^ 1, good[at] ^ 0x80, 0, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = change;
            put(&bytes);
            let same = change == good[at];
            match open(&path) {
                Ok(Some(_)) => assert!(same, "byte {at} set to {change}"),
                // The version, or a longer length than there is.
                Ok(None) => assert!((8..12).contains(&at) || (16..24).contains(&at), "byte {at}"),
                Err(error) => assert!(matches!(error.code, ErrorCode::IrMismatch | ErrorCode::Sparse), "byte {at}: {error:?}"),
            }
            // Without the digest the structure alone must hold: no crash, whatever the kernels would read.
            let _ = WeightSet::open(&path, OpenOptionsPacked::default());
        }
    }
}

#[test]
fn writing_replaces_the_old_file_and_leaves_nothing_else() {
    let folder = Folder::new("replace");
    let old = write(&folder.file(), None);
    let before = fs::metadata(folder.file()).unwrap().ino();
    write(&folder.file(), None);
    assert_ne!(fs::metadata(folder.file()).unwrap().ino(), before, "a mapping of the old file stays as it was");
    assert_eq!(old.tensor(0).unwrap().elements::<f32>().unwrap(), [1.0, 2.0, 3.0]);
    // A spec that fails while the file is being written.
    let bad = [serde_json::from_value(json!({"kind": "tensor", "dtype": "f32", "dims": [9], "buffer": 0})).unwrap()];
    assert!(WeightSet::in_file(&folder.file(), &bad, &[&[0; 4]], "", None, OpenOptionsPacked::default()).is_err());
    let mut names: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [".ne-lock", "model.neweights"]);
}

/// M5: no room for the packed file.
#[test]
fn a_full_disk_is_told_as_such() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        eprintln!("skipped: there is no /dev/full here");
        return;
    }
    use std::io::Write;
    let error = fs::OpenOptions::new().write(true).open(full).unwrap().write_all(&[0; 10]).unwrap_err();
    assert_eq!(crate::error::RuntimeError::io("writing", &error).code, ErrorCode::Space);
    let unwritable = WeightSet::in_file(Path::new("/proc/nowhere/x"), &[], &[], "", None, OpenOptionsPacked::default());
    assert!(matches!(unwritable.unwrap_err().code, ErrorCode::Io | ErrorCode::CantCreate));
}

/// M4: a writer that was killed before its file had its name.
#[test]
fn the_longest_unused_files_and_those_of_killed_writers_are_evicted() {
    let folder = Folder::new("evict");
    let size = {
        write(&folder.0.join("a.neweights"), None);
        fs::metadata(folder.0.join("a.neweights")).unwrap().len()
    };
    for name in ["b.neweights", "c.neweights"] {
        write(&folder.0.join(name), None);
    }
    let hour = std::time::Duration::from_secs(3600);
    for (name, age) in [("a", 1), ("b", 3), ("c", 2)] {
        let file = fs::File::open(folder.0.join(format!("{name}.neweights"))).unwrap();
        file.set_modified(std::time::SystemTime::now() - hour * age).unwrap();
    }
    fs::write(folder.0.join(".ne-writing-1-1"), "left by a killed writer").unwrap();
    let alive = cache::Temporary::new(&folder.0).unwrap();
    open(&folder.0.join("b.neweights")).unwrap(); // the oldest, but just used
    write(&folder.0.join("d.neweights"), Some(3 * size));
    let mut names: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with("neweights"));
    names.sort();
    assert_eq!(names, ["a.neweights", "b.neweights", "d.neweights"]);
    assert!(!folder.0.join(".ne-writing-1-1").exists());
    assert_eq!(
        fs::read_dir(&folder.0).unwrap().filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("writing")).count(),
        1
    );
    drop(alive);
}

#[test]
fn a_file_is_open_before_another_writer_can_evict_it() {
    let folder = Folder::new("race");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = folder.0.join(format!("{writer}.neweights"));
            // A limit of nothing: whoever writes removes what the others wrote.
            scope.spawn(move || (0..100).for_each(|_| assert!(write(&path, Some(0)).is_mapped())));
        }
    });
}
