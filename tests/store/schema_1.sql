-- The tables of the first release, as SQLite kept them.
CREATE TABLE "case" (
	id INTEGER NOT NULL,
	ip VARCHAR(45) NOT NULL,
	started FLOAT NOT NULL,
	seconds FLOAT NOT NULL,
	lag_seconds FLOAT,
	probed BOOLEAN NOT NULL,
	refused TEXT,
	label VARCHAR(32) NOT NULL,
	probability FLOAT NOT NULL,
	os_family TEXT,
	os_generation TEXT,
	os_role VARCHAR(16),
	document TEXT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX case_by_host ON "case" (ip, started);
CREATE INDEX case_by_time ON "case" (started, os_family, ip);
CREATE TABLE host (
	ip VARCHAR(45) NOT NULL,
	first_seen FLOAT NOT NULL,
	last_seen FLOAT NOT NULL,
	sightings INTEGER NOT NULL,
	rank INTEGER NOT NULL,
	due FLOAT,
	refused TEXT,
	owner VARCHAR(80),
	lease FLOAT,
	attempt INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	first_looked FLOAT,
	decided FLOAT,
	PRIMARY KEY (ip)
);
CREATE INDEX host_by_due ON host (rank, due) WHERE due IS NOT NULL;
CREATE TABLE mail (
	id INTEGER NOT NULL,
	"key" VARCHAR(64) NOT NULL,
	file TEXT NOT NULL,
	message_id TEXT,
	delivered FLOAT,
	source_ip VARCHAR(45),
	document TEXT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE ("key")
);
CREATE TABLE standing (
	id INTEGER NOT NULL,
	label VARCHAR(80) NOT NULL,
	family VARCHAR(80) NOT NULL,
	generation VARCHAR(80) NOT NULL,
	role VARCHAR(80) NOT NULL,
	refused VARCHAR(80) NOT NULL,
	decided_by VARCHAR(80) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (label, family, generation, role, refused, decided_by)
);
CREATE TABLE week_tally (
	week INTEGER NOT NULL,
	name VARCHAR(16) NOT NULL,
	count INTEGER NOT NULL,
	PRIMARY KEY (week, name)
)
 WITHOUT ROWID;
CREATE TABLE delivery (
	"key" VARCHAR(32) NOT NULL,
	mail_id INTEGER NOT NULL,
	PRIMARY KEY ("key"),
	FOREIGN KEY(mail_id) REFERENCES mail (id)
)
 WITHOUT ROWID;
CREATE TABLE hop (
	mail_id INTEGER NOT NULL,
	position INTEGER NOT NULL,
	trust VARCHAR(16),
	ip VARCHAR(45),
	PRIMARY KEY (mail_id, position),
	FOREIGN KEY(mail_id) REFERENCES mail (id)
);
CREATE INDEX ix_hop_ip ON hop (ip);
CREATE TABLE host_week (
	ip VARCHAR(45) NOT NULL,
	week INTEGER NOT NULL,
	network VARCHAR(49) NOT NULL,
	delivered INTEGER NOT NULL,
	claimed INTEGER NOT NULL,
	forged INTEGER NOT NULL,
	synthetic INTEGER NOT NULL,
	looked FLOAT,
	lag_seconds FLOAT,
	standing INTEGER,
	PRIMARY KEY (ip, week),
	FOREIGN KEY(standing) REFERENCES standing (id)
)
 WITHOUT ROWID;
CREATE INDEX host_week_by_standing ON host_week (week, standing);
CREATE INDEX host_week_by_week ON host_week (week, ip, network, delivered, claimed, forged, synthetic, looked, lag_seconds, standing);
PRAGMA user_version = 1;
