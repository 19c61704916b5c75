"""One job's way: the table of its steps, what each step does, the slots it waits for, the watcher that sees it end."""
