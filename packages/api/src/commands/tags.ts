import { defineCommand, everyone } from '../command.ts';
import { tagFields } from '../entities/tag.ts';
import { jobFields, successFields } from '../fields.ts';
import { ignored, ownerParams, pagingParams, param, projectFilter } from '../param.ts';

const kinds = 'UserVm, Template, ISO, Volume or Network';

export const createTags = defineCommand({
  name: 'createTags',
  description: 'Puts tags on resources: all of them or none',
  isAsync: true,
  params: {
    resourceids: param.uuids('the IDs of the resources', { required: true }),
    resourcetype: param.string(kinds, { required: true }),
    tags: param.map('the tags, by key', { required: true }),
    customer: param.string('whom the tags are for', ignored('nothing reads it')),
  },
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const deleteTags = defineCommand({
  name: 'deleteTags',
  description: 'Takes tags off resources',
  isAsync: true,
  params: {
    resourceids: param.uuids('the IDs of the resources', { required: true }),
    resourcetype: param.string(kinds, { required: true }),
    tags: param.map('the tags, by key; with a value only those that have it. All when absent'),
  },
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const listTags = defineCommand({
  name: 'listTags',
  description: 'Lists the tags of resources',
  isAsync: false,
  params: {
    key: param.string('tags with this key'),
    value: param.string('tags with this value'),
    resourceid: param.string('tags of the resource of this ID'),
    resourcetype: param.string(`tags of resources of this type: ${kinds}`),
    customer: param.string('tags for this customer', ignored('nothing reads it')),
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: { ...tagFields, ...jobFields },
  result: { kind: 'list', key: 'tag' },
  roles: everyone,
});
