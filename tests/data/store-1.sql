BEGIN TRANSACTION;
CREATE TABLE calls (
	id INTEGER NOT NULL, 
	ticket_id INTEGER NOT NULL, 
	step VARCHAR(20) NOT NULL, 
	backend VARCHAR(20) NOT NULL, 
	model VARCHAR(200) NOT NULL, 
	prompt_version VARCHAR(40) NOT NULL, 
	asked_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	ended_at DOUBLE NOT NULL, 
	latency_s DOUBLE, 
	prompt_tokens INTEGER NOT NULL, 
	completion_tokens INTEGER NOT NULL, 
	max_tokens INTEGER NOT NULL, 
	articles INTEGER NOT NULL, 
	outcome VARCHAR(20) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(ticket_id) REFERENCES tickets (id)
);
INSERT INTO "calls" VALUES(1,1,'categorize','embedded','m','1',1000.0,1000.0,1000.5,0.5,100,9,20,0,'ok');
CREATE TABLE changes (
	id INTEGER NOT NULL, 
	ticket_id INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	"by" VARCHAR(20) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(ticket_id) REFERENCES tickets (id)
);
INSERT INTO "changes" VALUES(1,1,1000.0,'Open','assistant');
INSERT INTO "changes" VALUES(2,1,1000.0,'Categorized','assistant');
INSERT INTO "changes" VALUES(3,1,1000.0,'In Progress','assistant');
INSERT INTO "changes" VALUES(4,1,1000.0,'Resolved','assistant');
CREATE TABLE desks (
	id INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	scenario TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "desks" VALUES(1,1000.0,'{}');
CREATE TABLE feedback (
	id INTEGER NOT NULL, 
	"key" VARCHAR(200), 
	origin VARCHAR(10) NOT NULL, 
	at DOUBLE NOT NULL, 
	ticket_id INTEGER, 
	description TEXT NOT NULL, 
	model VARCHAR(200) NOT NULL, 
	rating INTEGER NOT NULL, 
	feedback TEXT NOT NULL, 
	category VARCHAR(200) NOT NULL, 
	answer TEXT NOT NULL, 
	prompt_version VARCHAR(40) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE ("key"), 
	FOREIGN KEY(ticket_id) REFERENCES tickets (id)
);
INSERT INTO "feedback" VALUES(1,'client:f','live',1002.0,1,'I cannot log in','m',5,'Good','Login','Press it.','1');
CREATE TABLE schema_version (
	version INTEGER NOT NULL
);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE tickets (
	id INTEGER NOT NULL, 
	"key" VARCHAR(200), 
	origin VARCHAR(10) NOT NULL, 
	received_at DOUBLE NOT NULL, 
	description TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	priority VARCHAR(10) NOT NULL, 
	model VARCHAR(200) NOT NULL, 
	use_rag BOOLEAN NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	category VARCHAR(200), 
	confidence DOUBLE, 
	categorized_by VARCHAR(20), 
	draft TEXT, 
	response TEXT, 
	articles TEXT NOT NULL, 
	prompt_version VARCHAR(40) NOT NULL, 
	responded_at DOUBLE, 
	resolved_at DOUBLE, 
	resolved_by VARCHAR(20), 
	reopens INTEGER NOT NULL, 
	held_until DOUBLE, 
	PRIMARY KEY (id), 
	UNIQUE ("key")
);
INSERT INTO "tickets" VALUES(1,'client:a','live',1000.0,'I cannot log in','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','normal','m',1,'Resolved','Login',0.9,'assistant','Press it.','Press it.','[]','1',1001.0,1001.0,'assistant',0,NULL);
CREATE INDEX tickets_by_time ON tickets (received_at);
CREATE INDEX tickets_by_status ON tickets (status, id);
CREATE INDEX tickets_by_digest ON tickets (digest);
CREATE INDEX ix_changes_ticket_id ON changes (ticket_id);
CREATE INDEX ix_calls_ticket_id ON calls (ticket_id);
CREATE INDEX ix_feedback_ticket_id ON feedback (ticket_id);
COMMIT;
