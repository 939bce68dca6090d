"""The spring of 2003 at Kumamoto University, as published, made anew as logs.

Musashi, Matsuba and Sugitani: alpha 0.70 on weekdays and 0.35 on holidays, N_f = 0.95 N_c in
trend, D_q = 8.8 N_c + N_p; on 2003-04-13 16 relay denied, 2 recipients rejected and 13,505 users
unknown (accounts had been removed), alpha 0.21; on 2003-07-05 7, 0 and 32,028, from one client,
alpha 0.11. The published s = 0.95 cannot come from days with alpha 0.70 (a line through the
origin would need alpha 0.95): here N_f = 0.95 N_c - c, which has both.
"""

import random
from datetime import date, timedelta

from tests.observers.maillog.synthetic import REFUSED, RELAY, Day, Visit

FIRST, LAST = date(2003, 3, 14), date(2003, 7, 15)
REMOVED_ACCOUNTS, ONE_CLIENT = date(2003, 4, 13), date(2003, 7, 5)
CULPRIT = "198.51.100.77"
SERVER = "192.0.2.25"
M_SMTP, S = 8.8, 0.95
