// SPDX-License-Identifier: Apache-2.0
// Is standard input SARIF 2.1.0?  By the OASIS schema, as @microsoft/jest-sarif carries it.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const Ajv = require('ajv');

const folder = path.join(process.env.NODE_PATH, '@microsoft/jest-sarif/lib/schemas');
const schema = JSON.parse(fs.readFileSync(path.join(folder, 'sarif-2.1.0-rtm.5.json'), 'utf8'));
const ajv = new Ajv({ schemaId: 'auto', allErrors: true, format: 'full' });
ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-04.json'));
const valid = ajv.compile(schema);
if (!valid(JSON.parse(fs.readFileSync(0, 'utf8')))) {
    console.error(JSON.stringify(valid.errors, null, 2));
    process.exit(1);
}
