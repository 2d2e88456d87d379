-- A process that is frozen in the middle of a transaction keeps its rows locked, and a run whose row is locked is not rescued.
alter role na_app set idle_in_transaction_session_timeout = '30s';
alter role na_system set idle_in_transaction_session_timeout = '60s';
