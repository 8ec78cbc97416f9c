"""The networks of the lab's hosts, with packets: namespaces, bridges, trunks, guests' cards."""
