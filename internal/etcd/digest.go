package etcd

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// digest is the sum of the SHA-256 of all (key, value), modulo 2^256: it does
// not depend on the order in which they are read, and a changed key can be
// taken out and put in again. It tells states apart; it is no defence against
// somebody who makes values up for it.
type digest [4]uint64

// hashPair hashes one key and its value into buf's space.
func hashPair(buf []byte, key, value []byte) ([]byte, digest) {
	buf = binary.BigEndian.AppendUint32(buf[:0], uint32(len(key)))
	buf = append(append(buf, key...), value...)
	sum := sha256.Sum256(buf)
	var d digest
	for i := range d {
		d[i] = binary.BigEndian.Uint64(sum[8*i:])
	}
	return buf, d
}

func (d *digest) add(o digest) {
	var carry uint64
	for i := len(d) - 1; i >= 0; i-- {
		d[i], carry = bits.Add64(d[i], o[i], carry)
	}
}

func (d *digest) subtract(o digest) {
	var borrow uint64
	for i := len(d) - 1; i >= 0; i-- {
		d[i], borrow = bits.Sub64(d[i], o[i], borrow)
	}
}

func (d digest) String() string {
	var b []byte
	for _, w := range d {
		b = binary.BigEndian.AppendUint64(b, w)
	}
	return hex.EncodeToString(b)
}

// parseDigest reads String's form.
func parseDigest(s string) (d digest, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 8*len(d) {
		return d, false
	}
	for i := range d {
		d[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return d, true
}
