/**
 * Writes docs/journal-record.schema.json from the types of records: `node scripts/write-journal-schema.ts`. A test fails
 * while the file is not what this script would write.
 */
import { writeFileSync } from 'node:fs';
import { journalRecordSchema } from '../src/broker/journal/index.ts';

const path = new URL('../docs/journal-record.schema.json', import.meta.url);
writeFileSync(path, `${JSON.stringify(journalRecordSchema(), undefined, 2)}\n`);
