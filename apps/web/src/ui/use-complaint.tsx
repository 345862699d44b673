import { App } from 'antd';
import { Failure } from './failure.tsx';

/** Says what went wrong with an action that has no form to say it in: cause, next step, and what the operator needs. */
export function useComplaint(): (error: unknown) => void {
  const { notification } = App.useApp();
  return (error) =>
    notification.open({
      title: null,
      description: <Failure error={error} />,
      duration: 20,
      placement: 'top',
    });
}
