// tlog-verify checks a log of this product without a line of this product's code: signatures, hashes, roots and proofs are
// those of golang.org/x/mod/sumdb (note, tlog). What is here is reading files, C2SP paths, the checkpoint's three lines,
// the receipt's lines, and cosignature/v1, which x/mod does not know.
//
// Usage: tlog-verify LOGDIR KEYFILE QUORUM [OLD_CHECKPOINT [RECEIPT ENTRY]]
//
// KEYFILE holds one verifier key a line: the log's first, then its witnesses', QUORUM of whom must have cosigned. Prints
// one OK line per check and leaves with 0, or prints FAIL with the first thing that does not fit and leaves with 1.
//
// tlog.TileHashReader is not used: before x/mod 0.40 it does not authenticate every tile (CVE-2026-56865), and Debian 12
// has 0.7.0. Here every hash is computed from the entries, and every tile is compared with it.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if n := len(os.Args); n != 4 && n != 5 && n != 7 {
		fmt.Fprintln(os.Stderr, "usage: tlog-verify LOGDIR KEYFILE QUORUM [OLD_CHECKPOINT [RECEIPT ENTRY]]")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	keys, err := readKeys(args[1], args[2])
	if err != nil {
		return err
	}
	head, err := keys.open(filepath.Join(args[0], "checkpoint"), keys.quorum)
	if err != nil {
		return err
	}
	fmt.Printf("OK checkpoint: %s, %d entries, signed by the log and %d witnesses\n", head.origin, head.size, head.witnesses)
	hashes, err := recompute(args[0], head)
	if err != nil {
		return err
	}
	fmt.Println("OK entries: every bundle and every tile fits the root")
	if len(args) > 3 {
		old, err := keys.open(args[3], 0)
		if err != nil {
			return err
		}
		if err := continues(head, old, hashes); err != nil {
			return err
		}
		fmt.Printf("OK older checkpoint: the log continues its %d entries\n", old.size)
	}
	if len(args) > 4 {
		index, err := keys.receipt(args[4], args[5])
		if err != nil {
			return err
		}
		fmt.Printf("OK receipt: the entry is number %d of the log\n", index)
	}
	return nil
}

// Keys of a log and of its witnesses.
type keys struct {
	log       note.Verifier
	witnesses []note.Verifier
	quorum    int
}

// A checkpoint whose signatures were checked.
type head struct {
	origin    string
	size      int64
	root      tlog.Hash
	witnesses int
}

func readKeys(path, quorum string) (*keys, error) {
	n, err := decimal(quorum)
	if err != nil {
		return nil, fmt.Errorf("quorum: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := &keys{quorum: int(n)}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if i == 0 {
			found.log, err = note.NewVerifier(line)
		} else {
			var witness note.Verifier
			witness, err = newCosigner(line)
			found.witnesses = append(found.witnesses, witness)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, i+1, err)
		}
	}
	if len(found.witnesses) < found.quorum {
		return nil, fmt.Errorf("%s: fewer witnesses than the quorum", path)
	}
	return found, nil
}

// cosigner verifies C2SP cosignature/v1 (signature type 0x04).
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize || binary.BigEndian.Uint64(sig) > 1<<63-1 {
		return false
	}
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text)
	return ed25519.Verify(c.key, []byte(message), sig[8:])
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a verifier key")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return nil, errors.New("not a cosignature/v1 verifier key")
	}
	sum := sha256.Sum256([]byte(parts[0] + "\n" + string(key)))
	hash := binary.BigEndian.Uint32(sum[:4])
	if parts[1] != fmt.Sprintf("%08x", hash) {
		return nil, errors.New("the key has another id")
	}
	return &cosigner{parts[0], hash, key[1:]}, nil
}

func (k *keys) open(path string, quorum int) (*head, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found, err := k.openBytes(data, quorum)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}

func (k *keys) openBytes(data []byte, quorum int) (*head, error) {
	opened, err := note.Open(data, note.VerifierList(append([]note.Verifier{k.log}, k.witnesses...)...))
	if err != nil {
		return nil, err
	}
	// x/mod reads base64 with stray bits at its end; the same signature then has several texts.
	for _, sig := range append(opened.Sigs, opened.UnverifiedSigs...) {
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return nil, fmt.Errorf("a signature is not canonical base64: %w", err)
		}
	}
	byLog, by := false, map[uint32]bool{}
	for _, sig := range opened.Sigs {
		if sig.Name == k.log.Name() && sig.Hash == k.log.KeyHash() {
			byLog = true
		} else {
			by[sig.Hash] = true
		}
	}
	if !byLog {
		return nil, errors.New("not signed by the log")
	}
	if len(by) < quorum {
		return nil, fmt.Errorf("cosigned by %d witnesses, %d are needed", len(by), quorum)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != k.log.Name() {
		return nil, errors.New("not the three lines of this log's checkpoint")
	}
	size, err := decimal(lines[1])
	if err != nil {
		return nil, err
	}
	root, err := parseHash(lines[2])
	return &head{lines[0], size, root, len(by)}, err
}

// recompute hashes every entry, compares every tile and the root, and returns all hashes.
func recompute(dir string, head *head) (tlog.HashReader, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			if i >= int64(len(stored)) {
				return nil, fmt.Errorf("hash %d is not there", i)
			}
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := int64(0); n < head.size; {
		width := min(256, head.size-n)
		path, data, err := readTile(dir, "entries", n/256, width)
		if err != nil {
			return nil, err
		}
		for end := n + width; n < end; n++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("%s, entry %d: the file ends early", path, n)
			}
			length := 2 + int(binary.BigEndian.Uint16(data))
			hashes, err := tlog.StoredHashes(n, data[2:length], reader)
			if err != nil {
				return nil, err
			}
			stored, data = append(stored, hashes...), data[length:]
		}
		if len(data) > 0 && strings.HasSuffix(path, suffix(width)) {
			return nil, fmt.Errorf("%s: the file holds more than its width says", path)
		}
	}
	for level, count := 0, head.size; count > 0; level, count = level+1, count/256 {
		for n := int64(0); n*256 < count; n++ {
			width := min(256, count-n*256)
			want, err := tlog.ReadTileData(tlog.Tile{H: 8, L: level, N: n, W: int(width)}, reader)
			if err != nil {
				return nil, err
			}
			path, have, err := readTile(dir, strconv.Itoa(level), n, width)
			if err != nil {
				return nil, err
			}
			if !strings.HasSuffix(path, suffix(width)) && len(have) == 256*tlog.HashSize {
				have = have[:len(want)] // the full tile that took the place of a partial one
			}
			if !bytes.Equal(have, want) {
				return nil, fmt.Errorf("%s: not the hashes of the entries", path)
			}
		}
	}
	root, err := treeHash(head.size, reader)
	if err == nil && root != head.root {
		err = errors.New("checkpoint: the entries lead to another root")
	}
	return reader, err
}

func continues(head, old *head, hashes tlog.HashReader) error {
	if old.origin != head.origin || old.size > head.size {
		return fmt.Errorf("FORK: the older checkpoint has %d entries, the log %d", old.size, head.size)
	}
	if old.size == 0 {
		if root, err := treeHash(0, hashes); err != nil || root != old.root {
			return errors.New("FORK: the older checkpoint is empty and has another root")
		}
		return nil
	}
	proof, err := tlog.ProveTree(head.size, old.size, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, head.size, head.root, old.size, old.root); err != nil {
		return fmt.Errorf("FORK: %w", err)
	}
	return nil
}

// receipt checks a C2SP tlog-proof for an entry.
func (k *keys) receipt(path, entryPath string) (int64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	entry, err := os.ReadFile(entryPath)
	if err != nil {
		return 0, err
	}
	text, checkpoint, found := strings.Cut(string(data), "\n\n")
	lines := strings.Split(text, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, fmt.Errorf("%s: not a tlog-proof", path)
	}
	if lines = lines[1:]; strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return 0, fmt.Errorf("%s: no index", path)
	}
	index, err := decimal(strings.TrimPrefix(lines[0], "index "))
	if err != nil {
		return 0, err
	}
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := parseHash(line)
		if err != nil {
			return 0, err
		}
		proof = append(proof, hash)
	}
	head, err := k.openBytes([]byte(checkpoint), k.quorum)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	if err := tlog.CheckRecord(proof, head.size, head.root, index, tlog.RecordHash(entry)); err != nil {
		return 0, fmt.Errorf("%s: not for this entry at %d: %w", path, index, err)
	}
	return index, nil
}

// readTile reads a tile or bundle; where a partial one is gone, the full one that took its place.
func readTile(dir, level string, n, width int64) (string, []byte, error) {
	index := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		index = fmt.Sprintf("x%03d/%s", n%1000, index)
	}
	base := filepath.Join(dir, "tile", level, filepath.FromSlash(index))
	data, err := os.ReadFile(base + suffix(width))
	if errors.Is(err, fs.ErrNotExist) && width < 256 {
		data, err = os.ReadFile(base)
		return base, data, err
	}
	return base + suffix(width), data, err
}

func suffix(width int64) string {
	if width == 256 {
		return ""
	}
	return fmt.Sprintf(".p/%d", width)
}

func treeHash(size int64, hashes tlog.HashReader) (tlog.Hash, error) {
	if size == 0 {
		return sha256.Sum256(nil), nil
	}
	return tlog.TreeHash(size, hashes)
}

func parseHash(text string) (tlog.Hash, error) {
	var hash tlog.Hash
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(data) != tlog.HashSize || base64.StdEncoding.EncodeToString(data) != text {
		return hash, errors.New("not a hash in base64")
	}
	copy(hash[:], data)
	return hash, nil
}

// decimal reads the one way to write a number.
func decimal(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%q is not a decimal number", text)
	}
	return n, nil
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
