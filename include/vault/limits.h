/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_LIMITS_H
#define VAULT_LIMITS_H
/* limits - every input has a named maximum, checked before anything is allocated. */

#define LIMIT_REQUEST_LINE                  (8u * 1024)
#define LIMIT_HEADERS                       40u
#define LIMIT_HEADER_BYTES                  (16u * 1024)
#define LIMIT_BODY_DEFAULT                  (1024u * 1024)
#define LIMIT_BODY_MAX                      (32u * 1024 * 1024)
#define LIMIT_JSON_DEPTH                    32u
#define LIMIT_JSON_MEMBERS                  10000u
#define LIMIT_NUMBER_TEXT                   64u
#define LIMIT_SECRET_VALUE                  (512u * 1024)
#define LIMIT_POLICY_PARAMETERS             128u /* names in one map of a rule */
#define LIMIT_POLICY_VALUES                 256u /* values of one of them */
#define LIMIT_POLICY_DEPTH                  8u   /* of such a value */
#define LIMIT_WRAPPED                       (2u * 1024 * 1024) /* a wrapped reply */
#define LIMIT_PATH                          1024u
#define LIMIT_PATH_SEGMENTS                 32u
#define LIMIT_NAME                          128u /* of policies, roles, users, hosts */
#define LIMIT_TOKEN_TEXT                    1024u
#define LIMIT_REQUEST_SECONDS               15u
#define LIMIT_IDLE_SECONDS                  75u  /* between two requests */
#define LIMIT_SEND_BIG_SECONDS              120u /* taking a reply over 256 KiB */
#define LIMIT_CONNECTIONS_API               4096u
#define LIMIT_CONNECTIONS_HOSTS             16384u
#define LIMIT_CONNECTIONS_PER_ADDRESS       512u  /* on 8200; loopback is exempt */
#define LIMIT_CONNECTIONS_PER_ADDRESS_HOSTS 4096u /* on 8201, where NAT is common */
#define LIMIT_RATE_ENTRIES                  32768u /* clients, tokens, accounts remembered */
#define LIMIT_RATE_MAX                      1000000u /* a second */
#define LIMIT_RATE_BURST_MAX                10000000u
#define LIMIT_WATCH_SECONDS                 60u
#define LIMIT_FRAME                         (34u * 1024 * 1024) /* payload */
#define LIMIT_BATCH_REQUESTS                512u
#define LIMIT_BATCH_BYTES                   (4u * 1024 * 1024)
#define LIMIT_BATCH_US                      5000u
#define LIMIT_REQUEST_ARENA                 (40u * 1024 * 1024)
#define LIMIT_SHARES                        255u
#define LIMIT_LIST_INLINE                   1024u /* names, about 3 ms; more is a parked read */
#define LIMIT_FOLDERS_KEPT                  (8u * 1024 * 1024) /* names of folders in memory */
#define LIMIT_FOLDER_KEPT                   (2u * 1024 * 1024) /* of one folder */
#define LIMIT_SEALED_JOURNAL                10000u
#define LIMIT_POLICY_TEXT                   (64u * 1024)
#define LIMIT_POLICIES_PER_TOKEN            64u
#define LIMIT_BOUND_CIDRS                   64u
#define LIMIT_META_MEMBERS                  64u          /* of a token or a secret id */
#define LIMIT_META_BYTES                    (16u * 1024) /* all of it */
#define LIMIT_CERT_PEM                      (64u * 1024) /* of one certificate role */
#define LIMIT_CERT_PER_ROLE                 32u
#define LIMIT_CERT_PATTERNS                 256u /* in one list of a certificate role */
#define LIMIT_CERT_PATTERN                  256u /* bytes */
#define LIMIT_CRL                           (512u * 1024) /* DER of one revocation list */
#define LIMIT_CRL_TEXT                      (800u * 1024) /* with its issuers, PEM */
#define LIMIT_CRLS                          64u           /* of all mounts */
#define LIMIT_CRL_TOTAL                     (8u * 1024 * 1024) /* their DER */
#define LIMIT_CRL_GIVEN                     4u    /* certificates that come with one */
#define LIMIT_CRL_ASKED                     8u    /* whose signatures are verified now */
#define LIMIT_SERIAL                        32u   /* bytes of a serial number */
#define LIMIT_AGENT_ITEMS                   1000u /* leases in one agent request */
#define LIMIT_WATCH_ACKS                    (512u * 1024) /* base64; sys/agent/ack takes more */
#define LIMIT_VERSIONS_DEFAULT              10u
#define LIMIT_CONFIG_FILE                   (256u * 1024)
#define LIMIT_STEPS                         256u /* calls of rotators under way */
#define LIMIT_STEPS_RUNNING                 8u   /* of them at once */
#define LIMIT_STEP_REQUEST                  (256u * 1024)
#define LIMIT_STEP_REPLY                    (64u * 1024) /* a rotator's standard output */
#define LIMIT_STEP_LOG                      (64u * 1024) /* its standard error */
#define LIMIT_STEP_MS                       (10 * 60 * 1000) /* of one call */
#define LIMIT_ROTATORS                      64u

#endif
