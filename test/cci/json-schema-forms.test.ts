import { describe, expect, test } from 'vitest';
import {
  ascii,
  bitmap,
  bits,
  bytes,
  count,
  type Field,
  i16,
  jsonSchemaOf,
  layout,
  list,
  reserved,
  struct,
  u,
  uuid,
} from '../../src/cci/index.ts';

// What a client that makes its forms from the schema is told of each kind of field, asked for and replied.

const wideText = { type: 'string', pattern: '^(0x[0-9a-fA-F]{1,16}|[0-9]{1,20})$' };
const options = ['wait-for-link-down', 'managed-hot-remove', 'surprise-hot-remove'];

type Schema = Record<string, unknown>;

/** Field, its schema in a request and in a reply (the same when there is one), and whether it may be left out of a request. */
const forms: readonly (readonly [string, Field, Schema, Schema, 'required' | 'left out'])[] = [
  [
    'a byte',
    u(1, 'a'),
    { type: 'integer', minimum: 0, maximum: 255 },
    { type: 'integer', minimum: 0, maximum: 255 },
    'required',
  ],
  [
    'a number with bounds and help',
    u(2, 'a', { min: 3, max: 9, help: 'how many' }),
    { type: 'integer', minimum: 3, maximum: 9, description: 'how many' },
    { type: 'integer', minimum: 0, maximum: 65_535, description: 'how many' },
    'required',
  ],
  ['a wide number', u(8, 'a'), { oneOf: [wideText, { type: 'integer', minimum: 0 }] }, wideText, 'required'],
  [
    'a code with names',
    u(1, 'a', { enum: 'unbind_option' }),
    { type: 'string', enum: options },
    { oneOf: [{ type: 'string', enum: options }, { type: 'integer' }] },
    'required',
  ],
  [
    'a signed number',
    i16('a', 'degrees'),
    { type: 'integer', minimum: -32_768, maximum: 32_767, description: 'degrees' },
    { type: 'integer', minimum: -32_768, maximum: 32_767, description: 'degrees' },
    'required',
  ],
  ['a flag', bits(1, 'a', { on: [3, 3] }), { type: 'boolean' }, { type: 'boolean' }, 'required'],
  [
    'flags and parts',
    bits(8, 'a', { on: [0, 0], size: [1, 5], option: [6, 9, 'unbind_option'], rest: [10, 63] }),
    {
      type: 'object',
      properties: {
        on: { type: 'boolean' },
        size: { type: 'integer', minimum: 0, maximum: 31 },
        option: { type: 'string', enum: options },
        rest: { oneOf: [wideText, { type: 'integer', minimum: 0 }] },
      },
      required: ['size', 'option', 'rest'],
      additionalProperties: false,
    },
    {
      type: 'object',
      properties: {
        on: { type: 'boolean' },
        size: { type: 'integer', minimum: 0, maximum: 31 },
        option: { oneOf: [{ type: 'string', enum: options }, { type: 'integer' }] },
        rest: wideText,
      },
      required: ['on', 'size', 'option', 'rest'],
      additionalProperties: false,
    },
    'required',
  ],
  [
    'flags alone',
    bits(1, 'a', { on: [0, 0], off: [1, 1] }),
    {
      type: 'object',
      properties: { on: { type: 'boolean' }, off: { type: 'boolean' } },
      additionalProperties: false,
    },
    {
      type: 'object',
      properties: { on: { type: 'boolean' }, off: { type: 'boolean' } },
      required: ['on', 'off'],
      additionalProperties: false,
    },
    'required',
  ],
  [
    'so many bytes',
    bytes('a', 4),
    { type: 'string', pattern: '^([0-9a-fA-F]{2})*$', minLength: 8, maxLength: 8, description: 'hex' },
    { type: 'string', pattern: '^([0-9a-fA-F]{2})*$', minLength: 8, maxLength: 8, description: 'hex' },
    'left out',
  ],
  [
    'all bytes that follow',
    bytes('a', 'rest', { help: 'the log' }),
    { type: 'string', pattern: '^([0-9a-fA-F]{2})*$', description: 'the log' },
    { type: 'string', pattern: '^([0-9a-fA-F]{2})*$', description: 'the log' },
    'left out',
  ],
  ['a text', ascii('a', 6), { type: 'string', maxLength: 6 }, { type: 'string', maxLength: 6 }, 'required'],
  ['a UUID', uuid('a'), { type: 'string', format: 'uuid' }, { type: 'string', format: 'uuid' }, 'required'],
  [
    'a bitmap',
    bitmap('a', 2),
    { type: 'array', items: { type: 'integer', minimum: 0, maximum: 15 } },
    { type: 'array', items: { type: 'integer', minimum: 0, maximum: 15 } },
    'left out',
  ],
  [
    'a list of numbers',
    list('a', u(1, 'id'), 'rest'),
    { type: 'array', items: { type: 'integer', minimum: 0, maximum: 255 } },
    { type: 'array', items: { type: 'integer', minimum: 0, maximum: 255 } },
    'left out',
  ],
  [
    'a list of objects',
    list('a', struct('entry', [u(1, 'id'), reserved(1)]), 'rest'),
    {
      type: 'array',
      items: {
        type: 'object',
        properties: { id: { type: 'integer', minimum: 0, maximum: 255 } },
        required: ['id'],
        additionalProperties: false,
      },
    },
    {
      type: 'array',
      items: {
        type: 'object',
        properties: { id: { type: 'integer', minimum: 0, maximum: 255 } },
        required: ['id'],
        additionalProperties: false,
      },
    },
    'left out',
  ],
];

const schemaOf = (fields: readonly Field[], side: 'request' | 'reply') => jsonSchemaOf(layout(0, null, fields), side);

describe('the JSON Schema', () => {
  test.each(forms)('of %s', (_name, field, asked, replied, presence) => {
    const object = (schema: Schema, required: boolean) => ({
      type: 'object',
      properties: { a: schema },
      ...(required ? { required: ['a'] } : {}),
      additionalProperties: false,
    });
    expect(schemaOf([field], 'request')).toEqual(object(asked, presence === 'required'));
    expect(schemaOf([field], 'reply')).toEqual(object(replied, true));
  });

  test('does not name counters and reserved bytes: they follow from the rest', () => {
    const fields = [count(1, 'n'), reserved(3), list('a', u(1, 'id'), { counter: 'n' })];
    expect(Object.keys(schemaOf(fields, 'request').properties as object)).toEqual(['a']);
  });

  test('requires of an old device only what it sends, and of a request everything', () => {
    const fields = [u(1, 'a'), u(1, 'b', { absentIn: 'jackrabbit' })];
    expect(schemaOf(fields, 'request').required).toEqual(['a', 'b']);
    expect(schemaOf(fields, 'reply').required).toEqual(['a']);
    const optional = [u(1, 'a'), u(1, 'b', { optional: true })];
    expect(schemaOf(optional, 'request').required).toEqual(['a']);
    expect(schemaOf(optional, 'reply').required).toEqual(['a']);
  });
});
