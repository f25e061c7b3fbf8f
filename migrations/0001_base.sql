-- SPDX-License-Identifier: Apache-2.0
-- Everything that carries meaning is sealed: a reader of this file sees sizes, counts and times.

CREATE TABLE schema_migration (
	number INTEGER NOT NULL PRIMARY KEY,
	name TEXT NOT NULL,
	digest BYTEA NOT NULL,
	applied_ms BIGINT NOT NULL
);

-- What must be readable while sealed: vault id, seal configuration, sealed keyring.
CREATE TABLE meta (
	name TEXT NOT NULL PRIMARY KEY,
	value BYTEA NOT NULL
);

-- parent and tag are keyed blind tags or random ids; due is milliseconds since 1970.
CREATE TABLE object (
	kind INTEGER NOT NULL,
	id BYTEA NOT NULL,
	parent BYTEA,
	tag BYTEA,
	due BIGINT,
	version BIGINT NOT NULL,
	sealed BYTEA NOT NULL,
	PRIMARY KEY (kind, id)
);
CREATE INDEX object_parent ON object (kind, parent, id) WHERE parent IS NOT NULL;
CREATE INDEX object_tag ON object (kind, tag, id) WHERE tag IS NOT NULL;
CREATE INDEX object_due ON object (kind, due, id) WHERE due IS NOT NULL;

-- One data key and one ciphertext per version of a secret.
CREATE TABLE payload (
	secret BYTEA NOT NULL,
	version BIGINT NOT NULL,
	wrapped BYTEA NOT NULL,
	sealed BYTEA NOT NULL,
	PRIMARY KEY (secret, version)
);

-- digest is SHA-256(salt || record), envelope is the sealed salt || record, leaf is
-- SHA-256(0x00 || idx || digest || envelope).
CREATE TABLE audit (
	idx INTEGER NOT NULL PRIMARY KEY,
	leaf BYTEA NOT NULL,
	digest BYTEA NOT NULL,
	envelope BYTEA NOT NULL
);

-- Hashes of the Merkle tree over the audit rows: level n holds the roots of 256^n leaves,
-- 256 to a row.
CREATE TABLE audit_tile (
	level INTEGER NOT NULL,
	idx BIGINT NOT NULL,
	hashes BYTEA NOT NULL,
	PRIMARY KEY (level, idx)
);

-- Signed tree heads.
CREATE TABLE checkpoint (
	size INTEGER NOT NULL PRIMARY KEY,
	note BYTEA NOT NULL
);

-- Audit records that were made while sealed, until they are chained in.
CREATE TABLE journal (
	seq INTEGER NOT NULL PRIMARY KEY,
	record BYTEA NOT NULL
);
