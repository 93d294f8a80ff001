package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"
)

// store is the SQLite file, held by one process at a time.
type store struct {
	path string
	lock *os.File
}

// stamp stands beside the file. Temporal neither migrates SQLite nor checks its
// schema, so an unfit file would fail in the middle of a run instead of here.
type stamp struct {
	Schema           string `json:"schema"`
	VisibilitySchema string `json:"visibilitySchema"`
	Server           string `json:"server"`
}

func currentStamp() stamp {
	return stamp{schema.Version, schema.VisibilityVersion, headers.ServerVersion}
}

// openStore locks the file, makes it when it is absent and refuses one that
// this server cannot read.
func openStore(s settings) (*store, error) {
	path, err := filepath.Abs(s.DB)
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the database: %w", err)
	}
	db := &store{path: path, lock: lock}
	if err := db.prepare(s.Upgrade); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func (db *store) prepare(upgrade bool) error {
	if err := syscall.Flock(int(db.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("database %s is in use by another devserver (%w): stop that one or choose another --db", db.path, err)
	}
	_, err := os.Stat(db.path)
	if errors.Is(err, fs.ErrNotExist) {
		return db.create()
	}
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	return db.checkStamp(upgrade)
}

// create builds the schema in a file of another name and renames it last, so
// that a killed start leaves nothing that looks like a database.
func (db *store) create() error {
	fresh := db.path + ".new"
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(fresh + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a left-over of an interrupted start: %w", err)
		}
	}
	conf := sqlConfig(fresh)
	// Temporal's connection pool never closes the file. With a rollback journal
	// the schema is in the file itself when this returns, so the rename is whole.
	delete(conf.ConnectAttributes, "journal_mode")
	if err := schema.SetupSchema(conf); err != nil {
		return fmt.Errorf("set up the schema in %s: %w", fresh, err)
	}
	if err := db.writeStamp(); err != nil {
		return err
	}
	return os.Rename(fresh, db.path)
}

func (db *store) checkStamp(upgrade bool) error {
	data, err := os.ReadFile(db.stampPath())
	if err != nil {
		return fmt.Errorf("database %s has no readable version stamp (%w): restore the stamp from the backup or choose a new --db", db.path, err)
	}
	var found stamp
	if err := json.Unmarshal(data, &found); err != nil {
		return fmt.Errorf("version stamp %s: %w", db.stampPath(), err)
	}
	want := currentStamp()
	if found.Schema != want.Schema || found.VisibilitySchema != want.VisibilitySchema {
		return fmt.Errorf("database %s has schema %s/%s, this server needs %s/%s and cannot migrate: let its runs end under server %s, then start with a new --db",
			db.path, found.Schema, found.VisibilitySchema, want.Schema, want.VisibilitySchema, found.Server)
	}
	if found.Server != want.Server && !upgrade {
		return fmt.Errorf("database %s was last used by server %s, this is %s: back the file up, then start once with --upgrade",
			db.path, found.Server, want.Server)
	}
	return db.writeStamp()
}

func (db *store) writeStamp() error {
	data, err := json.MarshalIndent(currentStamp(), "", "  ")
	if err != nil {
		return err
	}
	return writeFile(db.stampPath(), append(data, '\n'))
}

func (db *store) stampPath() string { return db.path + ".version" }

// Close gives the file free for the next process.
func (db *store) Close() { _ = db.lock.Close() }

// sqlConfig asks for a write-ahead log that is synced on every commit: what
// Temporal has acknowledged survives a kill and a power cut. The keys are
// pragma names; the plugin passes them on without a check.
func sqlConfig(path string) *config.SQL {
	return &config.SQL{
		PluginName:   sqlite.PluginName,
		DatabaseName: path,
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal",
			"synchronous":  "2",
			"busy_timeout": "10000",
			// 64 MiB of pages stay here, and the log is folded into the file every
			// 32 MiB: many small writes change the same pages again and again.
			"cache_size":         "-65536",
			"wal_autocheckpoint": "8192",
		},
	}
}

// writeFile replaces a file in one step: readers see the old or the new one.
func writeFile(path string, data []byte) error {
	next := path + ".tmp"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}
