import { Flex, Progress } from 'antd';
import { text } from '../text/en.ts';

/** From here on it is said in words that little is left. */
const nearlyFull = 0.9;

/** How much of something is in use: in words, as a bar, and by a word when it is nearly full. */
export function Share(props: {
  readonly label: string;
  readonly used: number | undefined;
  readonly total: number | undefined;
  readonly format: (amount: number | undefined) => string;
  /** The label stands elsewhere, such as in the header of a column. */
  readonly plain?: boolean;
}) {
  const { label, used = 0, total = 0, format, plain } = props;
  const share = total === 0 ? 0 : used / total;
  const amount = text.dashboard.of(format(used), format(total));
  return (
    <div style={{ minWidth: 180 }}>
      <Flex justify="space-between" gap="small" wrap>
        {!plain && <span>{label}</span>}
        <span>{share > nearlyFull ? `${amount} · ${text.dashboard.nearlyFull}` : amount}</span>
      </Flex>
      <Progress
        size="small"
        aria-label={label}
        percent={Math.round(100 * share)}
        status={share > nearlyFull ? 'exception' : 'normal'}
        showInfo={!plain}
      />
    </div>
  );
}
