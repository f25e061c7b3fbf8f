/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_IPC_H
#define VAULT_IPC_H
/*
 * ipc - frames between the roles of vaultd (net and core over one socketpair, core and
 * rotate over another, each role and the supervisor over a control socket), and between
 * vault-agent and the process that runs its commands.
 *
 * A frame is a 16-byte header and a payload in the value encoding (lib/value.h):
 *
 *   u32be payload length | u8 type | u8 version (1) | u16be 0 | u64be id
 *
 * The decoder (lib/frame.h) is total: any other header ends the peer.
 */

#define IPC_VERSION 1u
#define IPC_HEADER  16u

enum ipc_type {
	/* net -> core */
	IPC_HELLO = 1,    /* object: {listener: "api"|"hosts", spki: bytes32|null} */
	IPC_REQUEST = 2,  /* array, positions below; answered by an IPC_REPLY of its id */
	IPC_CANCEL = 3,   /* null: the client of request id has gone */
	IPC_STATS = 5,    /* object: {hosts: bool, connections, suspended: number} */
	IPC_REJECTED = 4, /* object: {address: string, reason: string, count: number} */
	IPC_SIGNER = 6,   /* object: answers an IPC_CRL, see below */
	/* core -> net */
	IPC_WELCOME = 16, /* object: {accepted: bool, reason: string} answers IPC_HELLO */
	IPC_REPLY = 17,   /* array, positions below */
	IPC_STATE = 18,   /* object: net answers health, seal-status, leader from it */
	IPC_TRUST = 19,   /* object: who vouches for TLS clients, see below */
	IPC_CRL = 23,     /* object: who has signed this revocation list?  See below */
	/* core -> rotate, see below */
	IPC_STEP = 20, /* object: one call of a rotator */
	IPC_STEP_CANCEL =
		21, /* bool: end call id even if it runs already; not answered */
	/* rotate -> core */
	IPC_STEP_REPLY = 22, /* object: how call id has ended */
	/* supervisor -> role, on the control socket */
	IPC_CONFIG = 32,   /* object, first frame; role-specific members */
	IPC_PEER = 33,     /* {role: string} and one descriptor by SCM_RIGHTS */
	IPC_DRAIN = 35,    /* finish, then exit 0 */
	IPC_LOGLEVEL = 36, /* string */
	IPC_SANDBOX = 38,  /* to core: {role: [names]} for sys/vaultd/status */
	/* role -> supervisor */
	IPC_READY = 34,  /* object {sandbox: [names of what is not enforced]} */
	IPC_FAILED = 37, /* string, why the role cannot start; then it exits */
	/* vault-agent and its hook process, agent/hook/hook_impl.h */
	IPC_HOOK_READY = 48,
	IPC_HOOK_RUN = 49,
	IPC_HOOK_DONE = 50,
};

/* Positions in the array of an IPC_REQUEST. */
enum ipc_request_field {
	IPC_RQ_METHOD,   /* number: enum http_method */
	IPC_RQ_PATH,     /* string: canonical, decoded once, without "/v1/" */
	IPC_RQ_TOKEN,    /* string or null */
	IPC_RQ_REMOTE,   /* string: address without port */
	IPC_RQ_QUERY,    /* object (string, or array of strings per key) or null */
	IPC_RQ_BODY,     /* object or null */
	IPC_RQ_WRAP_TTL, /* number of seconds, 0 = none */
	IPC_RQ_LISTENER, /* number: enum ipc_listener */
	IPC_RQ_FLAGS,    /* number: IPC_F_* */
	IPC_RQ_CLIENT,   /* object about the TLS client certificate, see below; or null */
	IPC_RQ__COUNT
};

enum http_method {
	HTTP_GET = 1,
	HTTP_LIST,
	HTTP_POST, /* PUT too: the two are identical */
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_HEAD,
	HTTP_SCAN, /* OpenBao's: a list of all that is below */
};

enum ipc_listener { IPC_ON_API = 1, IPC_ON_HOSTS = 2, IPC_ON_UNIX = 3 };

#define IPC_F_LOOPBACK     1u /* the peer's address is loopback, or the Unix socket */
#define IPC_F_METRICS_TEXT 2u /* Accept: application/openmetrics-text */
#define IPC_F_HELP         4u /* a GET that asks what can be asked there (?help=1) */

/*
 * TLS client certificates.  core parses none: it says which certificates it trusts, net
 * verifies and takes apart, core compares.
 *
 * IPC_TRUST (core -> net, after each change and to each net that says hello) is
 *
 *   { cas: [ bytes ] }      DER, each once; CA certificates, or clients' own (pinned)
 *
 * and replaces what was sent before; at most IPC_TRUST_CAS certificates of together
 * IPC_TRUST_BYTES.  What is no certificate vouches for nobody.
 *
 * IPC_RQ_CLIENT is sent with requests below auth/ on a TLS listener of the API, if the
 * client has shown a certificate, proved in the handshake that it holds the key, and
 * every member can be told exactly; otherwise it is null.  All members are there:
 *
 *   sha256                bytes32, of the DER of the client's certificate
 *   spki_sha256           bytes32, of its SubjectPublicKeyInfo
 *   serial                bytes, big-endian;  serial_number: string, decimal
 *   common_name           string, "" if there is none; the last of several
 *   organizational_units  [ string ]
 *   dns_names, email_addresses, uris
 *                         [ string ], subject alternative names
 *   subject_key_id, authority_key_id
 *                         bytes or null
 *   not_before, not_after numbers, seconds since 1970
 *   extensions            [ { oid: "1.2.3", critical: bool, value: bytes (DER),
 *                             text: string if the value is one string, else null } ]
 *   issued                [ { issuer: bytes32, serial: bytes } ] of each certificate of
 * the chain, the client's first: SHA-256 of the DER of the issuer's name, and the serial
 * number, big-endian.  Revocation lists name certificates so chain                 [
 * bytes ], DER as it was shown, the client's first; at most IPC_CLIENT_CHAIN certificates
 * of together IPC_CLIENT_BYTES anchors               [ bytes32 ]: SHA-256 of the DER of
 * each certificate of the newest IPC_TRUST that net has seen which verifies the chain for
 *                         client authentication now (signatures, times, constraints, key
 *                         usage), or is the client's certificate itself and valid now.
 *                         At most IPC_CLIENT_TRIED are tried by signature.
 *
 * A role therefore matches iff the digest of one of its certificates is in anchors and
 * its constraints hold.  Because anchors are digests, a role that has changed since needs
 * no version: what it does not trust any more is not among its digests.  Strings are
 * UTF-8 without control characters.  net may be lying: core checks types and lengths, and
 * this one login method is only as good as net is.
 *
 * Revocation lists.  core takes them apart (bounded DER), keeps them, and compares what
 * net says of a chain ("issued") with them: a certificate is revoked from the commit of
 * its list on, whatever net has cached.  What core cannot do is verify a signature, so it
 * asks the net that brought the list, once, before it keeps it.
 *
 * IPC_CRL (core -> net) is
 *
 *   { ask: bytes16          repeated in the answer
 *     issuer: bytes         DER of the name of who issued it
 *     signed: bytes         DER of what is signed
 *     algorithm: bytes      the signature's: content of the object identifier
 *     signature: bytes
 *     given: [ bytes ] }    DER: certificates that came along with the list
 *
 * and IPC_SIGNER (net -> core) says { ask: bytes16, verdict: number (enum ipc_verdict),
 * signer: bytes32, SHA-256 of the DER of the certificate whose key has signed it; or null
 * }. That is a CA's certificate of the newest IPC_TRUST, or one of those given that is
 * vouched for by one in there, or has itself issued one in there.
 */
enum ipc_verdict {
	IPC_V_SIGNED = 1, /* and the signer is known */
	IPC_V_STRANGER,   /* no known certificate is the issuer's */
	IPC_V_FORGED,     /* one is, but the signature is not by its key */
	IPC_V_FORBIDDEN,  /* one is, which is not for signing revocation lists */
	IPC_V_ALGORITHM,  /* the signature is of a kind that is not accepted */
	IPC_V__MAX
};

#define IPC_TRUST_CAS    512u
#define IPC_TRUST_BYTES  (2u * 1024 * 1024)
#define IPC_CLIENT_CHAIN 8u
#define IPC_CLIENT_BYTES (16u * 1024)
#define IPC_CLIENT_TRIED 16u

/*
 * Steps of a rotation.  core hands the rotate role exactly the values that one call of a
 * rotator needs, with a number (the frame's id) that no other call of this core has:
 *
 *   IPC_STEP { rotator: string, a configured name;  timeout_ms: number, from now,
 * queueing included;  request: object, the rotator's request as it is to be, of which
 *              rotate replaces deadline_ms }
 *
 * Each is answered by exactly one IPC_STEP_REPLY, unless it is cancelled or a side ends:
 *
 *   { outcome: "reply"        the rotator has answered by the rules; or
 *              "unknown"      it has not: whatever it was to do may or may not have
 * happened started: bool           false: nothing was run, so nothing can have happened
 *     reason: string          unknown: why, for people;  sha256: bytes32 of the
 * executable, or null status, class, message, fields, probe, describe, retry_after_ms
 *                             reply: as the rotator said, null where it said nothing }
 *
 * Texts are free of every value of the request and of the reply's own fields.  Rotate has
 * the network, so core believes nothing in a reply but that the rotator may have said it.
 * When core's end of the connection closes, everything that runs is ended.
 */

/* Positions in the array of an IPC_REPLY. */
enum ipc_reply_field {
	IPC_RP_STATUS,     /* number: HTTP status */
	IPC_RP_KIND,       /* number: enum ipc_reply_kind */
	IPC_RP_REQUEST_ID, /* string: uuid4 */
	IPC_RP_BODY,       /* see enum ipc_reply_kind */
	IPC_RP_RETRY,      /* number: seconds for Retry-After, 0 = none */
	IPC_RP__COUNT
};

enum ipc_reply_kind {
	IPC_K_EMPTY = 0, /* body null; no HTTP body */
	IPC_K_ENVELOPE,  /* object: any of lease_id, renewable, lease_duration, data,
	                  * wrap_info, warnings, auth, mount_type; what is absent gets
	                  * Vault's default.  With member "inject" true, data's members are
	                  * repeated on top. */
	IPC_K_BARE,      /* the body is the whole JSON document */
	IPC_K_ERRORS,    /* object: {errors: [string], data?: any}: rendered as it is */
	IPC_K_TEXT,      /* string: the whole body, as metrics in plain text */
};

#endif
