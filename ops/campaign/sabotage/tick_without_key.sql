-- Takes two guards of a tick away: its unique key (each row is filed under a schedule of its own, so that none meets another), and,
-- in a tenth of the rounds, the watermark's step past it. The checker must find I7 broken. With either guard left it finds nothing.
CREATE FUNCTION fleet.misfile_tick() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.schedule_id := gen_random_uuid();
    RETURN NEW;
END $$;
CREATE TRIGGER misfile_tick BEFORE INSERT ON fleet.schedule_tick FOR EACH ROW EXECUTE FUNCTION fleet.misfile_tick();

CREATE FUNCTION fleet.forget_watermark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.watermark > OLD.watermark AND random() < 0.1 THEN
        NEW.watermark := OLD.watermark;
        NEW.next_at := OLD.next_at;
        NEW.due_at := OLD.due_at;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER forget_watermark BEFORE UPDATE ON fleet.schedule FOR EACH ROW EXECUTE FUNCTION fleet.forget_watermark();
