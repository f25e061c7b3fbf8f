// SPDX-License-Identifier: Apache-2.0
// Is standard input what the JSON schema in the file that is named describes?
'use strict';

const fs = require('node:fs');
const Ajv = require('ajv');

const schema = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const ajv = new Ajv({ schemaId: 'auto', allErrors: true, format: 'full' });
ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-04.json'));
const valid = ajv.compile(schema);
if (!valid(JSON.parse(fs.readFileSync(0, 'utf8')))) {
    console.error(JSON.stringify(valid.errors, null, 2));
    process.exit(1);
}
