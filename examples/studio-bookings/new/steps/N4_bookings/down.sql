DROP TABLE new_bookings;
