//! The specification's example is read; anything but three exact lines is not.

use super::{Checkpoint, CheckpointError, CheckpointNote};
use crate::keys::SigningKey;
use crate::note::Signer;

const TEXT: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

#[test]
fn the_example_of_the_specification_reads_and_writes_alike() {
    let checkpoint = Checkpoint::parse(TEXT).unwrap();
    assert_eq!(checkpoint.origin.as_str(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.head.size, 20_852_163);
    assert_eq!(checkpoint.to_text(), TEXT);
    let key = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
    let signer = Signer::log(checkpoint.origin.key_name().clone(), &key);
    let note = checkpoint.sign(&signer).unwrap();
    let again = CheckpointNote::parse(&note.to_bytes()).unwrap();
    assert_eq!((again.checkpoint(), again.note()), (&checkpoint, note.note()));
}

#[test]
fn other_texts_are_refused() {
    let with = |from: &str, to: &str| Checkpoint::parse(&TEXT.replace(from, to)).unwrap_err();
    assert_eq!(with("2I=\n", "2I="), CheckpointError::Shape);
    assert_eq!(with("2I=\n", "2I=\nextension\n"), CheckpointError::Extension);
    assert_eq!(with("2I=\n", "2I=\n\n"), CheckpointError::Extension);
    assert_eq!(with("2I=", "2J="), CheckpointError::Root);
    assert_eq!(with("2I=", ""), CheckpointError::Root);
    assert_eq!(with("20852163", "020852163"), CheckpointError::Size);
    assert_eq!(with("20852163", "+20852163"), CheckpointError::Size);
    assert_eq!(with("20852163", "-1"), CheckpointError::Size);
    assert_eq!(with("20852163", ""), CheckpointError::Size);
    assert_eq!(with("20852163", "9223372036854775808"), CheckpointError::Size);
    assert_eq!(with("20852163", "18446744073709551616"), CheckpointError::Size);
    assert_eq!(with("example.com/", "example com/"), CheckpointError::Origin);
    assert_eq!(with("example.com/behind-the-sofa", ""), CheckpointError::Origin);
    assert_eq!(Checkpoint::parse("a\n1\n").unwrap_err(), CheckpointError::Shape);
}
