/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_STMT_H
#define SERVER_CORE_STMT_H
/*
 * stmt - every SQL statement that core runs, by number.
 *
 * In the subset that SQLite and PostgreSQL both accept.  Parameters are $1 … in order of
 * appearance.  Every row is prepared when the database is opened.
 */

/* clang-format off */
#define STMT_TABLE(X) \
	/* storage */ \
	X(STMT_META_GET, "SELECT value FROM meta WHERE name = $1") \
	X(STMT_META_PUT, "INSERT INTO meta (name, value) VALUES ($1, $2) " \
		"ON CONFLICT (name) DO UPDATE SET value = excluded.value") \
	X(STMT_META_DELETE, "DELETE FROM meta WHERE name = $1") \
	X(STMT_MIGRATION_ALL, "SELECT number, digest FROM schema_migration ORDER BY number") \
	X(STMT_OBJECT_GET, "SELECT parent, tag, due, version, sealed FROM object " \
		"WHERE kind = $1 AND id = $2") \
	X(STMT_OBJECT_INSERT, "INSERT INTO object (kind, id, parent, tag, due, version, sealed) " \
		"VALUES ($1, $2, $3, $4, $5, $6, $7)") \
	X(STMT_OBJECT_UPDATE, "UPDATE object SET parent = $1, tag = $2, due = $3, version = $4, " \
		"sealed = $5 WHERE kind = $6 AND id = $7 AND version = $8") \
	X(STMT_OBJECT_UPDATE_BODY, "UPDATE object SET version = $1, sealed = $2 " \
		"WHERE kind = $3 AND id = $4 AND version = $5") \
	X(STMT_OBJECT_RESEAL, "UPDATE object SET sealed = $1 WHERE kind = $2 AND id = $3 " \
		"AND version = $4") \
	X(STMT_OBJECT_DELETE, "DELETE FROM object WHERE kind = $1 AND id = $2 AND version = $3") \
	X(STMT_OBJECT_BY_PARENT, "SELECT kind, id, parent, tag, due, version, sealed FROM object " \
		"WHERE kind = $1 AND parent = $2 AND id > $3 ORDER BY id LIMIT $4") \
	X(STMT_OBJECT_BY_TAG, "SELECT kind, id, parent, tag, due, version, sealed FROM object " \
		"WHERE kind = $1 AND tag = $2 AND id > $3 ORDER BY id LIMIT $4") \
	X(STMT_OBJECT_EACH, "SELECT kind, id, parent, tag, due, version, sealed FROM object " \
		"WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3") \
	X(STMT_OBJECT_SCAN, "SELECT kind, id, parent, tag, due, version, sealed FROM object " \
		"WHERE (kind, id) > ($1, $2) ORDER BY kind, id LIMIT $3") \
	X(STMT_OBJECT_DUE, "SELECT kind, id, parent, tag, due, version, sealed FROM object " \
		"WHERE kind = $1 AND due <= $2 AND (due, id) > ($3, $4) ORDER BY due, id LIMIT $5") \
	X(STMT_OBJECT_NEXT_DUE, "SELECT due FROM object WHERE kind = $1 AND due > 0 " \
		"ORDER BY due LIMIT 1") \
	X(STMT_OBJECT_COUNT, "SELECT count(*) FROM object WHERE kind = $1") \
	X(STMT_STATE_PUT, "INSERT INTO object (kind, id, version, sealed) VALUES ($1, $2, $3, $4) " \
		"ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, " \
		"sealed = excluded.sealed") \
	X(STMT_PAYLOAD_GET, "SELECT wrapped, sealed FROM payload WHERE secret = $1 AND version = $2") \
	X(STMT_PAYLOAD_WRAPPED, "SELECT wrapped FROM payload WHERE secret = $1 AND version = $2") \
	X(STMT_PAYLOAD_INSERT, "INSERT INTO payload (secret, version, wrapped, sealed) " \
		"VALUES ($1, $2, $3, $4)") \
	X(STMT_PAYLOAD_REWRAP, "UPDATE payload SET wrapped = $1 WHERE secret = $2 AND version = $3") \
	X(STMT_PAYLOAD_DELETE, "DELETE FROM payload WHERE secret = $1 AND version = $2") \
	X(STMT_PAYLOAD_SCAN, "SELECT secret, version, wrapped, sealed FROM payload " \
		"WHERE (secret, version) > ($1, $2) ORDER BY secret, version LIMIT $3") \
	/* audit */ \
	X(STMT_AUDIT_INSERT, "INSERT INTO audit (idx, leaf, digest, envelope) " \
		"VALUES ($1, $2, $3, $4)") \
	X(STMT_AUDIT_GET, "SELECT leaf, digest, envelope FROM audit WHERE idx = $1") \
	X(STMT_AUDIT_RANGE, "SELECT idx, leaf, digest, envelope FROM audit " \
		"WHERE idx >= $1 AND idx < $2 ORDER BY idx LIMIT $3") \
	X(STMT_AUDIT_RANGE_DOWN, "SELECT idx, leaf, digest, envelope FROM audit " \
		"WHERE idx >= $1 AND idx < $2 ORDER BY idx DESC LIMIT $3") \
	X(STMT_AUDIT_LEAVES, "SELECT idx, leaf FROM audit WHERE idx >= $1 AND idx < $2 ORDER BY idx") \
	X(STMT_AUDIT_LAST, "SELECT idx FROM audit ORDER BY idx DESC LIMIT 1") \
	X(STMT_TILE_PUT, "INSERT INTO audit_tile (level, idx, hashes) VALUES ($1, $2, $3) " \
		"ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes") \
	X(STMT_TILE_GET, "SELECT hashes FROM audit_tile WHERE level = $1 AND idx = $2") \
	X(STMT_CHECKPOINT_PUT, "INSERT INTO checkpoint (size, note) VALUES ($1, $2) " \
		"ON CONFLICT (size) DO UPDATE SET note = excluded.note") \
	X(STMT_CHECKPOINT_LAST, "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1") \
	X(STMT_CHECKPOINT_AT, "SELECT size, note FROM checkpoint WHERE size >= $1 " \
		"ORDER BY size LIMIT 1") \
	X(STMT_CHECKPOINT_DELETE, "DELETE FROM checkpoint WHERE size > $1 AND size < $2") \
	X(STMT_JOURNAL_ADD, "INSERT INTO journal (seq, record) VALUES ($1, $2)") \
	X(STMT_JOURNAL_ALL, "SELECT seq, record FROM journal ORDER BY seq") \
	X(STMT_JOURNAL_LAST, "SELECT seq FROM journal ORDER BY seq DESC LIMIT 1") \
	X(STMT_JOURNAL_COUNT, "SELECT count(*) FROM journal") \
	X(STMT_JOURNAL_CLEAR, "DELETE FROM journal")
/* clang-format on */

#define STMT_ENUM_ROW(id, sql) id,
enum stmt_id { STMT_TABLE(STMT_ENUM_ROW) STMT__COUNT };
#undef STMT_ENUM_ROW

#endif
