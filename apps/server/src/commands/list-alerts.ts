import { formatDate, specs } from '@millrace/api';
import { alertTypes, listAlertRows } from '../store/alerts.ts';
import { eventTypes } from '../store/events.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';

export const listAlerts = implement(specs.listAlerts, async ({ params, database }) => {
  const { id, name, type, keyword } = params;
  const names = Object.entries(alertTypes).flatMap(([alert, number]) =>
    (type === undefined || String(number) === type) && (name === undefined || alert === name.toUpperCase())
      ? alert
      : [],
  );
  const { rows, count } = await listAlertRows(
    database,
    { uuid: id, names, keyword },
    await pageFrom(database, params),
  );
  const list = rows.map((row) => ({
    id: row.uuid,
    type: alertTypes[row.type],
    name: row.type,
    description: row.description,
    sent: formatDate(row.created),
  }));
  return { list, count };
});

export const listEventTypes = implement(specs.listEventTypes, async () => ({
  list: eventTypes.map((name) => ({ name })),
  count: eventTypes.length,
}));
